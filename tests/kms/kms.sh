#!/bin/bash
# SPDX-License-Identifier: MIT
# Keys from a KMS, against servers that we did not write: gRPC's own for JavaScript, right and
# with faults; node's HTTP/2 with answers that no gRPC library gives; sockets that speak
# something else. Each failure has its own sentence, and says whether another try may help.
#   kms.sh KMS_CALL
here=$(dirname "$(realpath "$0")")
call=$(realpath "${1:?the program kms_call}")
: "${MORTISE:=/bin/true}"
. "$here/../cli/lib.sh"
for tool in node openssl; do
	command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
NODE_PATH=$("$here/../../tools/npm-packages") || { echo "skipped: no npm packages"; exit 77; }
export NODE_PATH
unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY

servers=()
end() {
	[ ${#servers[@]} = 0 ] || kill "${servers[@]}" 2>/dev/null
	rm -rf "$work"
}
trap end EXIT

# Each of these two starts a program that writes its port to $work/NAME.
serve() { # NAME OPTION...
	node "$here/server.mjs" --port-file "$work/$1" "${@:2}" &
	servers+=($!)
}

proxy() { # NAME OPTION...
	node "$here/proxy.mjs" --port-file "$work/$1" "${@:2}" &
	servers+=($!)
}

port() { # NAME
	for _ in {1..3000}; do
		[ ! -e "$work/$1" ] || break
		sleep 0.1
	done
	cat "$work/$1"
}

# opens DESCRIPTION [OPTION...] ENDPOINT: what was sealed is unsealed again.
opens() {
	got=$("$call" "${@:2:$#-2}" both "${!#}" 2>&1)
	[[ $? = 0 && $got =~ ^[0-9a-f]{64}$ ]]
	result $? "$1"
	[[ $got =~ ^[0-9a-f]{64}$ ]] || echo "# $got"
}

# judge DESCRIPTION GOT STATUS PATTERN: a failure, and its whole line.
judge() {
	# shellcheck disable=SC2053 # A pattern: the words of libraries differ by version.
	[[ $3 = 1 && $2 == $4 ]] && result 0 "$1" && return
	result 1 "$1"
	printf '# got:  %s\n# want: %s\n' "$2" "$4"
}

# fails DESCRIPTION CODE SENTENCE [OPTION...] ENDPOINT: sealing does.
fails() {
	got=$("$call" "${@:4:$#-4}" seal "${!#}" "$data" 2>&1)
	judge "$1" "$got" $? "$2: failed to seal KMS passphrase: ${!#}: $3"
}

# fault NAME CODE SENTENCE: of the server that $endpoint names.
fault() {
	fails "$1" "$2" "$3" -u "fault:$1" "$endpoint"
}

data=$(printf '%02x' {1..32})
"$here/certificates.sh" || { echo "not ok - certificates"; exit 1; }

serve plain --log "$work/plain.log"
serve tls --tls-cert server.pem --tls-key server.key
serve mutual --tls-cert server.pem --tls-key server.key --client-ca ca.pem
for name in expired future other; do
	serve $name --tls-cert $name.pem --tls-key $name.key
done
serve raw --raw
serve https --raw --fault https --tls-cert server.pem --tls-key server.key
for name in http1 garbage silent close close-later; do
	serve $name --raw --fault $name
done
serve first --key-path key
serve rate --rate 5
serve rate-unavailable --rate 1 --rate-status UNAVAILABLE
proxy proxy --log "$work/proxy.log"
proxy proxy-403 --refuse 403
proxy proxy-502 --refuse 502

# ------------------------------------------------------------ right answers
plain=grpc://127.0.0.1:$(port plain)
opens "in the clear" "$plain"
opens "no scheme: in the clear" "127.0.0.1:$(port plain)"
opens "path, query and user are passed over" "grpc://user:word@127.0.0.1:$(port plain)/p?q#f"
opens "by name" "grpc://localhost:$(port plain)"
"$call" -j 16 both "$plain" >many 2>&1
[ "$(grep -cxE '[0-9a-f]{64}' many)" = 16 ]
result $? "16 at once, none of which has loaded libcurl"
# 16 lines, each another key.
got=$("$call" -j 16 both "$plain" | grep -xE '[0-9a-f]{64}' | sort -u | wc -l)
[ "$got" = 16 ]
result $? "16 threads at once"
got=$("$call" seal "$plain" "$data")
[[ $got =~ ^[0-9a-f]{120}$ ]]
result $? "60 bytes are sealed bytes"
[ "$("$call" unseal "$plain" "$got")" = "$data" ]
result $? "they unseal to the same"
other=$("$call" unseal "$plain" "${got:0:118}$(printf '%02x' $((0x${got:118:2} ^ 1)))")
[[ $other =~ ^[0-9a-f]{64}$ && $other != "$data" ]]
result $? "bytes that the KMS has not sealed: others come back"
[[ $(tail -n 1 plain.log) == *'"method":"Unseal","node":"1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"'* ]]
result $? "the UUID of the node arrives"
got=$("$call" seal "grpc://127.0.0.1:$(port first)" "$data")
serve second --key-path key
[ "$("$call" unseal "grpc://127.0.0.1:$(port second)" "$got")" = "$data" ]
result $? "a server started anew unseals what the first one sealed"

# --------------------------------------------------------------- endpoints
sentence='endpoints look like grpc://kms.example:4050 or https://kms.example'
endpoint() { # ENDPOINT WHY
	got=$("$call" seal "$1" "$data")
	judge "endpoint $1" "$got" $? \
		"USAGE: failed to seal KMS passphrase: KMS endpoint \"$1\" $2; $sentence"
}
endpoint "" "has no host"
endpoint "grpc://kms:0" "has a port that is none of 1 to 65535"
got=$("$call" seal "grpc://user:word@a b" "$data")
[[ $got == *'"grpc://a b" has a host that is no name and no address;'* ]]
result $? "an endpoint is shown without its password"
got=$("$call" unseal "grpc://" "$data")
[[ $got == "USAGE: failed to unseal KMS passphrase: KMS endpoint "* ]]
result $? "unsealing says that it was unsealing"

# -------------------------------------------------------------- unreachable
fails "nobody listens" UNREACHABLE "no connection; is the KMS running, its port right, the \
network up? (*): Connection refused" grpc://127.0.0.1:1
fails "no such name" UNREACHABLE "its name was not found; is it right, and the network up? (*)" \
	grpc://kms.invalid:4050

# --------------------------------------------------------- statuses of gRPC
endpoint=$plain
status() { # NAME CODE MEANING
	fault "status:$1" "$2" "the KMS answers $1: $3"
}
status CANCELLED UNREACHABLE "it gave up the call, as servers do while they stop"
status UNKNOWN UNREACHABLE "it failed and does not say how; its log may"
status INVALID_ARGUMENT SOURCE "it does not take these bytes; were they sealed by another KMS?"
status DEADLINE_EXCEEDED UNREACHABLE "it was not done in time; it may be overloaded"
status NOT_FOUND SOURCE "it has no key for the UUID of this node; enter it there"
status ALREADY_EXISTS SOURCE "it has something for this node already"
status PERMISSION_DENIED SOURCE "it does not let this node have keys; allow it there"
status RESOURCE_EXHAUSTED UNREACHABLE "it is asked too much at once"
status FAILED_PRECONDITION SOURCE \
	"it cannot do this in the state that it is in; is it sealed itself?"
status ABORTED UNREACHABLE "another request got in the way"
status OUT_OF_RANGE SOURCE "something sent to it is out of bounds"
status UNIMPLEMENTED SOURCE \
	"it speaks gRPC but has no sidero.kms.KMSService; is this the address of a KMS?"
status INTERNAL UNREACHABLE "something broke inside it; see its log"
status UNAVAILABLE UNREACHABLE "it is not ready to answer"
status DATA_LOSS SOURCE "it has lost data; see to its own backup"
status UNAUTHENTICATED SOURCE \
	"it wants to know who asks; give a certificate with --kms-cert and --kms-key"
fault "status:UNAVAILABLE:back at noon, 100% sure" UNREACHABLE \
	"the KMS answers UNAVAILABLE (back at noon, 100% sure): it is not ready to answer"
got=$("$call" unseal "$plain" 00)
judge "unsealing too few bytes" "$got" $? "SOURCE: failed to unseal KMS passphrase: $plain: the \
KMS answers INVALID_ARGUMENT (incorrect data length): it does not take these bytes; were they \
sealed by another KMS?"

# ---------------------------------------------------- what the service says
fault empty SOURCE "the KMS says OK but its answer holds no data"
got=$("$call" -u fault:large:4096 seal "$plain" "$data")
[ ${#got} = 8192 ]
result $? "4096 sealed bytes are taken"
got=$("$call" -u fault:large:4097 seal "$plain" "$data")
judge "4097 are not" "$got" $? "SOURCE: failed to seal KMS passphrase: $plain: the KMS \
answers with 4097 bytes, of 4096 that there is room for"
got=$("$call" -u fault:random both "$plain")
[[ $got == "KEY: "* || $got == "SOURCE: "*INVALID_ARGUMENT* ]] || [[ $got =~ ^[0-9a-f]{64}$ ]]
result $? "random bytes are bytes: $got"
busy=0
for _ in {1..12}; do
	got=$("$call" seal "grpc://127.0.0.1:$(port rate)" "$data")
	case $got in
	"UNREACHABLE: "*"answers RESOURCE_EXHAUSTED (busy): it is asked too much at once")
		busy=$((busy + 1)) ;;
	*) [ ${#got} = 120 ] || busy=-99 ;;
	esac
done
[ $busy -ge 1 ]
result $? "a server that answers 5 a second ($busy of 12 were too many)"
"$call" seal "grpc://127.0.0.1:$(port rate-unavailable)" "$data" >/dev/null
fails "a server that is busy with one" UNREACHABLE \
	"the KMS answers UNAVAILABLE (busy): it is not ready to answer" \
	"grpc://127.0.0.1:$(port rate-unavailable)"

# ------------------------------------------------------- frames and HTTP/2
raw=grpc://127.0.0.1:$(port raw)
endpoint=$raw
opens "by node's HTTP/2" "$raw"
opens "fields that we do not know, and the data twice" -u fault:unknown-fields "$raw"
opens "an informational response first" -u fault:early-hints "$raw"
fault cut SOURCE "the answer of the KMS is cut short: 15 of 62 bytes came"
fault cut-head SOURCE "the answer of the KMS is cut short: 3 bytes are no gRPC frame"
fault no-frame SOURCE "the KMS says OK but its answer is empty"
# Whether the headers were seen before depends on how the packets fell.
fault reset UNREACHABLE "the connection broke off *INTERNAL_ERROR*"
fault hangup UNREACHABLE "the connection broke off in the middle of the answer (*)"
fault goaway UNREACHABLE "the connection broke off before an answer came (*); if it always does: \
does the server want TLS (https://)?"
fault long SOURCE "the answer of the KMS is cut short: 62 of 63 bytes came"
fault short SOURCE "the answer of the KMS is longer than its frame says: 62 bytes, of 61"
fault huge SOURCE "the answer of the KMS is too large: 4294967295 bytes, of 5120 allowed"
fault flood SOURCE "the answer of the KMS is too large: more than 5381 bytes"
fault compressed SOURCE "the answer of the KMS is compressed, which was not asked for"
fault flag SOURCE "the answer of the KMS is no gRPC frame: its flag byte is 7"
fault trailing SOURCE "the answer of the KMS is longer than its frame says: 66 bytes, of 62"
fault no-protobuf SOURCE "the answer of the KMS is no protobuf message: it breaks off or makes no \
sense at byte 0 of 11"
fault no-trailers SOURCE "the answer of the KMS ends without a gRPC status: a proxy in between may \
not pass trailers on"
fault bad-status SOURCE "the KMS answers with a grpc-status that is none of 0 to 16"
fault status-17 SOURCE "the KMS answers with a grpc-status that is none of 0 to 16"
fault words SOURCE "the KMS answers NOT_FOUND (café?\[31m?red? 100% ?%): it has no key for the \
UUID of this node; enter it there"
fault headers SOURCE "the KMS answers NOT_FOUND (application/grpc, trailers, 10S, none, none): it \
has no key for the UUID of this node; enter it there"
fault http:404 SOURCE "HTTP status 404: there is no KMS at this address"
fault http:403 SOURCE "HTTP status 403: something in front of the KMS does not let this machine in"
fault http:503 UNREACHABLE "HTTP status 503: something in front of the KMS says that it is not \
ready to answer"
fault http:500 SOURCE "HTTP status 500, where gRPC has 200: is this the address of a KMS?"
fault type:text/plain SOURCE "the answer is of type \"text/plain\", not application/grpc: is this \
the address of a KMS?"

# --------------------------------------------------- not HTTP/2, or nothing
# What libcurl makes of these differs between its versions.
hint="*does the server want TLS (https://)\?"
for name in http1 garbage close close-later; do
	fails "$name, in the clear" "[US][NO]*" "$hint" "grpc://127.0.0.1:$(port $name)"
done
fails "TLS where none was meant" "[US][NO]*" "$hint" "grpc://127.0.0.1:$(port tls)"
ca=(-a ca.pem)
for name in http1 garbage; do
	fails "$name, over TLS" SOURCE "no TLS with the KMS (*): does the server speak TLS, does \
it want a certificate?" "${ca[@]}" "https://127.0.0.1:$(port $name)"
done
fails "no TLS where it was meant" SOURCE "no TLS with the KMS (*): does the server speak TLS, \
does it want a certificate?" "${ca[@]}" "https://localhost:$(port plain)"
for name in close close-later; do
	fails "$name, over TLS" UNREACHABLE "the connection broke off before an answer came (*); \
if it always does: does the KMS want a certificate (--kms-cert, --kms-key)?" \
		"${ca[@]}" "https://127.0.0.1:$(port $name)"
done
fails "TLS, but HTTP/1.1" SOURCE "the server does not speak HTTP/2, which gRPC needs: is this the \
address of a KMS?" "${ca[@]}" "https://localhost:$(port https)"

# -------------------------------------------------------------------- TLS
tls() { # NAME
	echo "https://localhost:$(port "$1")"
}
opens "TLS with a private CA" "${ca[@]}" "$(tls tls)"
opens "by address" "${ca[@]}" "https://127.0.0.1:$(port tls)"
opens "any other scheme is TLS too" "${ca[@]}" "grpcs://localhost:$(port tls)"
opens "files are not looked at in the clear" -a no-such-file "$plain"
unproven="the KMS does not prove who it is (*): is its CA known here (--kms-ca), is the clock \
right\?"
fails "a CA that the system does not know" SOURCE "$unproven" "$(tls tls)"
fails "another CA" SOURCE "$unproven" -a other-ca.pem "$(tls tls)"
fails "a certificate that has expired" SOURCE "the certificate of the KMS has expired, or the \
clock of this machine is wrong (*)" "${ca[@]}" "$(tls expired)"
fails "a certificate that is not valid yet" UNREACHABLE "the certificate of the KMS is not valid \
yet (*): is the clock of this machine right?" "${ca[@]}" "$(tls future)"
fails "a certificate for another name" SOURCE "the certificate of the KMS is for another name \
(*localhost*): the endpoint has to name the KMS as its certificate does" "${ca[@]}" "$(tls other)"
fails "no such CA file" USAGE "cannot read the CA certificates no-such-file: No such file or \
directory" -a no-such-file "$(tls tls)"
fails "a CA file without a certificate" USAGE "client.key holds no CA certificate (*)" \
	-a client.key "$(tls tls)"

# -------------------------------------------------------------- mutual TLS
opens "mutual TLS" "${ca[@]}" -c client.pem -k client.key "$(tls mutual)"
# TLS 1.3 refuses when the handshake is over: now and then the alert gets lost in the reset.
fails "no certificate" "[US][NO]*" "*does *want a certificate*\?" "${ca[@]}" "$(tls mutual)"
fails "a certificate by another CA" "[US][NO]*" "*certificate\?" \
	"${ca[@]}" -c stranger.pem -k stranger.key "$(tls mutual)"
fails "the key of another certificate" USAGE \
	"the certificate client.pem and its key stranger.key are of no use (*)" \
	"${ca[@]}" -c client.pem -k stranger.key "$(tls mutual)"
fails "a key under a passphrase: nobody is asked" USAGE \
	"the certificate client.pem and its key locked.key are of no use (*)" \
	"${ca[@]}" -c client.pem -k locked.key "$(tls mutual)"
fails "a certificate that is none" USAGE \
	"the certificate config and its key client.key are of no use (*)" \
	"${ca[@]}" -c config -k client.key "$(tls mutual)"
fails "no such certificate" USAGE \
	"cannot read the certificate no-such-file: No such file or directory" \
	"${ca[@]}" -c no-such-file -k client.key "$(tls mutual)"
fails "no such key" USAGE \
	"cannot read the key of the certificate no-such-file: No such file or directory" \
	"${ca[@]}" -c client.pem -k no-such-file "$(tls mutual)"
fails "a certificate without its key" USAGE "a certificate to show to a KMS and its key go \
together; only the certificate is given" "${ca[@]}" -c client.pem "$(tls mutual)"
fails "a key without its certificate" USAGE "a certificate to show to a KMS and its key go \
together; only the key is given" "${ca[@]}" -k client.key "$(tls mutual)"

# ------------------------------------------------------------------ proxies
through=http://127.0.0.1:$(port proxy)
connects() { # N DESCRIPTION: as many CONNECTs has the proxy seen
	[ "$(grep -c "^CONNECT 127.0.0.1:" proxy.log)" = "$1" ]
	result $? "$2"
}
: >proxy.log
http_proxy=$through opens "through http_proxy" "$plain"
connects 2 "which was asked to connect"
https_proxy=$through opens "in the clear through https_proxy, as Talos has it" "$plain"
connects 4 "which was asked to connect"
HTTPS_PROXY=$through opens "TLS through HTTPS_PROXY" "${ca[@]}" "https://127.0.0.1:$(port tls)"
connects 6 "which was asked to connect"
https_proxy=$through no_proxy=127.0.0.1 opens "not where no_proxy says so" "$plain"
connects 6 "which was not asked"
refuses() { # STATUS CODE
	https_proxy=http://127.0.0.1:$(port "proxy-$1") fails "a proxy that says $1" "$2" "the \
proxy makes no connection to the KMS: HTTP status $1 (https_proxy, http_proxy and no_proxy say \
which proxy is asked)" "$plain"
}
refuses 403 SOURCE
refuses 502 UNREACHABLE
https_proxy=http://kms.invalid:1 fails "no such proxy" UNREACHABLE "the name of the proxy was not \
found; is it right, and the network up? (*)" "$plain"

# ------------------------------------------------------------ which libcurl
libraries=$(dirname "$call")
fake() { # NUMBER CODE SENTENCE
	mkdir -p "fake$1"
	cp "$libraries/libfake_curl_$1.so" "fake$1/libcurl.so.4"
	cp "$libraries/libfake_curl_$1.so" "fake$1/libcurl-gnutls.so.4"
	got=$(LD_LIBRARY_PATH=$PWD/fake$1 "$call" seal "$plain" "$data" 2>&1)
	judge "libcurl of no use ($1)" "$got" $? \
		"$2: failed to seal KMS passphrase: $plain: $3"
}
none="a KMS is asked through libcurl, of which there is none that serves: install libcurl4"
fake 1 UNSUPPORTED "$none (libcurl.so.4 has no curl_*; libcurl-gnutls.so.4 has no curl_*)"
fake 2 UNSUPPORTED "$none (libcurl.so.4 9.9.9 is built without HTTP/2; libcurl-gnutls.so.4 9.9.9 is built \
without HTTP/2)"
fake 3 UNSUPPORTED "$none (libcurl.so.4 9.9.9 is built without TLS; libcurl-gnutls.so.4 9.9.9 is built without \
TLS)"
fake 4 UNSUPPORTED "$none (libcurl.so.4 9.9.9 does not start; libcurl-gnutls.so.4 9.9.9 does not start)"
fake 5 UNSUPPORTED "this libcurl (9.9.9) does not take all options that asking a KMS needs"
fake 6 UNREACHABLE "the connection broke off before an answer came (fake); if it always does: \
does the server want TLS (https://)?"
mkdir empty
: >empty/libcurl.so.4
: >empty/libcurl-gnutls.so.4
got=$(LD_LIBRARY_PATH=$PWD/empty "$call" seal "$plain" "$data" 2>&1)
judge "libcurl that cannot be loaded" "$got" $? "UNSUPPORTED: failed to seal KMS passphrase: \
$plain: $none (*libcurl.so.4*libcurl-gnutls.so.4*)"
cp "$libraries/libfake_curl_2.so" empty/libcurl.so.4
rm empty/libcurl-gnutls.so.4
if ldconfig -p 2>/dev/null | grep -q 'libcurl-gnutls\.so\.4 '; then
	LD_LIBRARY_PATH=$PWD/empty opens "the second one does where the first is of no use" "$plain"
fi

# -------------------------------------------------- the deadline, all at once
late() { # NAME OPTION... ENDPOINT
	SECONDS=0
	"$call" "${@:2:$#-2}" seal "${!#}" "$data" >"late.$1" 2>&1
	echo "$? $SECONDS" >>"late.$1"
}
late service -u fault:late "$plain" &
waits=($!)
late headers -u fault:late "$raw" &
waits+=($!)
late body -u fault:late-body "$raw" &
waits+=($!)
late silent "grpc://127.0.0.1:$(port silent)" &
waits+=($!)
late handshake "${ca[@]}" "https://127.0.0.1:$(port silent)" &
waits+=($!)
https_proxy=http://127.0.0.1:$(port silent) late proxy "$plain" &
waits+=($!)

# mkfs runs meanwhile, for another volume, and inherits what is not closed on exec.
"$call" seal "grpc://127.0.0.1:$(port silent)" "$data" >/dev/null 2>&1 &
waits+=($!)
flags=
for _ in {1..80}; do
	for fd in "/proc/$!/fd/"*; do
		inode=$(readlink "$fd")
		inode=${inode//[!0-9]/}
		[ -n "$inode" ] && awk -v inode="$inode" '$10 == inode { found = 1 }
			END { exit !found }' /proc/net/tcp || continue
		flags=$(awk '$1 == "flags:" { print $2 }' "/proc/$!/fdinfo/${fd##*/}")
	done
	[ -z "$flags" ] || break
	sleep 0.1
done
[ -n "$flags" ] && [ $((flags & 02000000)) != 0 ]
result $? "the connection is closed on exec (flags $flags)"
wait "${waits[@]}"

judge_late() { # NAME ENDPOINT WHY
	local got status seconds

	got=$(head -n 1 "late.$1")
	read -r status seconds < <(tail -n 1 "late.$1")
	[ "$seconds" -ge 9 ] && [ "$seconds" -le 300 ] || status="$status, after $seconds s"
	judge "$1: too late" "$got" "$status" "UNREACHABLE: failed to seal KMS passphrase: $2: $3"
}
mute="no answer within 10 s: it is connected but does not answer; is the KMS overloaded\?"
# The server counts 10 s too, from our header, and may be the first to say so.
judge_late service "$plain" "*no*within 10 s*\?"
judge_late headers "$raw" "$mute"
judge_late body "$raw" "$mute"
judge_late silent "grpc://127.0.0.1:$(port silent)" "$mute"
judge_late handshake "https://127.0.0.1:$(port silent)" \
	"no answer within 10 s: no TLS handshake was made; does the server speak TLS\?"
judge_late proxy "$plain" "no answer within 10 s: the proxy made no connection"

finish
