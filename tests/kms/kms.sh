#!/bin/bash
# SPDX-License-Identifier: MIT
# Keys from a KMS, with independent servers: gRPC's JavaScript server, correct and with faults;
# node's HTTP/2 server with responses that a gRPC library does not send; and sockets with other
# protocols. Each failure has its own message, and an error code that tells whether a retry may
# help.
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

# serve and proxy start a program that writes its port to $work/NAME.
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

# opens DESCRIPTION [OPTION...] ENDPOINT: unsealing returns the sealed bytes.
opens() {
	got=$("$call" "${@:2:$#-2}" both "${!#}" 2>&1)
	[[ $? = 0 && $got =~ ^[0-9a-f]{64}$ ]]
	result $? "$1"
	[[ $got =~ ^[0-9a-f]{64}$ ]] || echo "# $got"
}

# judge DESCRIPTION GOT STATUS PATTERN: the call failed, with an error that matches PATTERN.
judge() {
	# shellcheck disable=SC2053 # A pattern, because the messages of libraries differ by version.
	[[ $3 = 1 && $2 == $4 ]] && result 0 "$1" && return
	result 1 "$1"
	printf '# got:      %s\n# expected: %s\n' "$2" "$4"
}

# fails DESCRIPTION CODE MESSAGE [OPTION...] ENDPOINT: sealing fails.
fails() {
	got=$("$call" "${@:4:$#-4}" seal "${!#}" "$data" 2>&1)
	judge "$1" "$got" $? "$2: failed to seal KMS passphrase: ${!#}: $3"
}

# fault NAME CODE MESSAGE: sealing fails when the server at $endpoint has this fault.
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

# -------------------------------------------------------- correct responses
plain=grpc://127.0.0.1:$(port plain)
opens "in the clear" "$plain"
opens "without a scheme, in the clear" "127.0.0.1:$(port plain)"
opens "path, query and user are ignored" "grpc://user:word@127.0.0.1:$(port plain)/p?q#f"
opens "by name" "grpc://localhost:$(port plain)"
"$call" -j 16 both "$plain" >many 2>&1
[ "$(grep -cxE '[0-9a-f]{64}' many)" = 16 ]
result $? "16 threads at once, none of which has loaded libcurl"
# 16 lines, each with a different key.
got=$("$call" -j 16 both "$plain" | grep -xE '[0-9a-f]{64}' | sort -u | wc -l)
[ "$got" = 16 ]
result $? "16 threads at once seal different keys"
got=$("$call" seal "$plain" "$data")
[[ $got =~ ^[0-9a-f]{120}$ ]]
result $? "sealing returns 60 bytes"
[ "$("$call" unseal "$plain" "$got")" = "$data" ]
result $? "unsealing returns the sealed bytes"
other=$("$call" unseal "$plain" "${got:0:118}$(printf '%02x' $((0x${got:118:2} ^ 1)))")
[[ $other =~ ^[0-9a-f]{64}$ && $other != "$data" ]]
result $? "bytes that the KMS has not sealed: unsealing returns other bytes"
[[ $(tail -n 1 plain.log) == *'"method":"Unseal","node":"1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"'* ]]
result $? "the KMS receives the UUID of the node"
got=$("$call" seal "grpc://127.0.0.1:$(port first)" "$data")
serve second --key-path key
[ "$("$call" unseal "grpc://127.0.0.1:$(port second)" "$got")" = "$data" ]
result $? "a second server with the same key unseals what the first one has sealed"

# --------------------------------------------------------------- endpoints
sentence='use the form grpc://kms.example:4050 or https://kms.example'
endpoint() { # ENDPOINT REASON
	got=$("$call" seal "$1" "$data")
	judge "endpoint $1" "$got" $? \
		"USAGE: failed to seal KMS passphrase: invalid KMS endpoint \"$1\": $2; $sentence"
}
endpoint "" "no host"
endpoint "grpc://kms:0" "the port is not a number from 1 to 65535"
got=$("$call" seal "grpc://user:word@a b" "$data")
[[ $got == *'"grpc://a b": the host is neither a name nor an address;'* ]]
result $? "an error has the endpoint without its password"
got=$("$call" unseal "grpc://" "$data")
[[ $got == "USAGE: failed to unseal KMS passphrase: invalid KMS endpoint "* ]]
result $? "an error of unsealing says so"

# -------------------------------------------------------------- unreachable
fails "connection refused" UNREACHABLE "cannot connect; check that the KMS is running, the port and \
the network (*): Connection refused" grpc://127.0.0.1:1
fails "unknown host name" UNREACHABLE "cannot resolve its name; check the name and the network (*)" \
	grpc://kms.invalid:4050

# ----------------------------------------------------------- gRPC statuses
endpoint=$plain
status() { # NAME CODE MEANING
	fault "status:$1" "$2" "the KMS returned $1: $3"
}
status CANCELLED UNREACHABLE "it canceled the call; it may be shutting down"
status UNKNOWN UNREACHABLE "it failed without a reason; see its log"
status INVALID_ARGUMENT SOURCE "it does not accept this data; another KMS may have sealed it"
status DEADLINE_EXCEEDED UNREACHABLE "it did not finish in time; it may be overloaded"
status NOT_FOUND SOURCE "it has no key for the UUID of this node; add the node to the KMS"
status ALREADY_EXISTS SOURCE "it already has an entry for this node"
status PERMISSION_DENIED SOURCE "it does not give this node keys; allow the node in the KMS"
status RESOURCE_EXHAUSTED UNREACHABLE "it receives too many requests"
status FAILED_PRECONDITION SOURCE "it cannot do this in its current state; it may be sealed itself"
status ABORTED UNREACHABLE "another request interfered"
status OUT_OF_RANGE SOURCE "a value in the request is out of range"
status UNIMPLEMENTED SOURCE \
	"it does not provide sidero.kms.KMSService; check that the endpoint is a KMS"
status INTERNAL UNREACHABLE "it had an internal error; see its log"
status UNAVAILABLE UNREACHABLE "it is not ready to answer"
status DATA_LOSS SOURCE "it has lost data; restore its backup"
status UNAUTHENTICATED SOURCE \
	"it requires a client certificate; give one with --kms-cert and --kms-key"
fault "status:UNAVAILABLE:back at noon, 100% sure" UNREACHABLE \
	"the KMS returned UNAVAILABLE (back at noon, 100% sure): it is not ready to answer"
got=$("$call" unseal "$plain" 00)
judge "unsealing too few bytes" "$got" $? "SOURCE: failed to unseal KMS passphrase: $plain: the \
KMS returned INVALID_ARGUMENT (incorrect data length): it does not accept this data; another KMS may \
have sealed it"

# ---------------------------------------------------- faults of the service
fault empty SOURCE "the answer of the KMS contains no data"
got=$("$call" -u fault:large:4096 seal "$plain" "$data")
[ ${#got} = 8192 ]
result $? "4096 sealed bytes are accepted"
got=$("$call" -u fault:large:4097 seal "$plain" "$data")
judge "4097 sealed bytes are rejected" "$got" $? "SOURCE: failed to seal KMS passphrase: $plain: the KMS \
returned 4097 bytes of data; the maximum is 4096"
got=$("$call" -u fault:random both "$plain")
[[ $got == "KEY: "* || $got == "SOURCE: "*INVALID_ARGUMENT* ]] || [[ $got =~ ^[0-9a-f]{64}$ ]]
result $? "random bytes instead of sealed ones: $got"
busy=0
for _ in {1..12}; do
	got=$("$call" seal "grpc://127.0.0.1:$(port rate)" "$data")
	case $got in
	"UNREACHABLE: "*"returned RESOURCE_EXHAUSTED (busy): it receives too many requests")
		busy=$((busy + 1)) ;;
	*) [ ${#got} = 120 ] || busy=-99 ;;
	esac
done
[ $busy -ge 1 ]
result $? "a server that answers 5 calls per second ($busy of 12 rejected)"
"$call" seal "grpc://127.0.0.1:$(port rate-unavailable)" "$data" >/dev/null
fails "a server that answers one call per second" UNREACHABLE \
	"the KMS returned UNAVAILABLE (busy): it is not ready to answer" \
	"grpc://127.0.0.1:$(port rate-unavailable)"

# ------------------------------------------------------- frames and HTTP/2
raw=grpc://127.0.0.1:$(port raw)
endpoint=$raw
opens "node's HTTP/2 server" "$raw"
opens "unknown fields, and the data twice" -u fault:unknown-fields "$raw"
opens "an informational response before the final one" -u fault:early-hints "$raw"
fault cut SOURCE "the answer of the KMS is truncated: 15 of 62 bytes received"
fault cut-head SOURCE "the answer of the KMS is truncated: 3 bytes are too short for a gRPC frame"
fault no-frame SOURCE "the answer of the KMS is empty"
# Whether the client sees the headers first depends on timing.
fault reset UNREACHABLE "the connection was lost *INTERNAL_ERROR*"
fault hangup UNREACHABLE "the connection was lost in the middle of the answer (*)"
fault goaway UNREACHABLE "the connection was lost before an answer arrived (*); if this persists, \
the server may require TLS (https://)"
fault long SOURCE "the answer of the KMS is truncated: 62 of 63 bytes received"
fault short SOURCE "the answer of the KMS is longer than its frame: 62 bytes instead of 61"
fault huge SOURCE "the answer of the KMS is too large: 4294967295 bytes; the maximum is 5120"
fault flood SOURCE "the answer of the KMS is too large: more than 5381 bytes"
fault compressed SOURCE "the answer of the KMS is compressed, which was not requested"
fault flag SOURCE "the answer of the KMS is not a gRPC frame: its flag byte is 7"
fault trailing SOURCE "the answer of the KMS is longer than its frame: 66 bytes instead of 62"
fault no-protobuf SOURCE "the answer of the KMS is not a protobuf message: it is truncated or invalid \
at byte 0 of 11"
fault no-trailers SOURCE "the answer of the KMS has no gRPC status; a proxy may have removed the \
trailers"
fault bad-status SOURCE "the answer of the KMS has a grpc-status outside 0 to 16"
fault status-17 SOURCE "the answer of the KMS has a grpc-status outside 0 to 16"
fault words SOURCE "the KMS returned NOT_FOUND (café\\\\x1b\\[31m\\\\x0ared\\\\xff 100% \\\\xe2\\\\x80\\\\xae%): it has no key for the \
UUID of this node; add the node to the KMS"
fault headers SOURCE "the KMS returned NOT_FOUND (application/grpc, trailers, 10S, none, none): it \
has no key for the UUID of this node; add the node to the KMS"
fault http:404 SOURCE "HTTP status 404: there is no KMS at this address"
fault http:403 SOURCE "HTTP status 403: a server in front of the KMS denies this machine access"
fault http:503 UNREACHABLE "HTTP status 503: a server in front of the KMS reports that it is not \
ready to answer"
fault http:500 SOURCE "HTTP status 500 instead of 200; check that the endpoint is a KMS"
fault type:text/plain SOURCE "the answer has the content type \"text/plain\", not application/grpc; \
check that the endpoint is a KMS"

# --------------------------------------------- other protocols, or no answer
# The error of libcurl depends on its version.
hint="*the server may require TLS (https://)"
for name in http1 garbage close close-later; do
	fails "$name, in the clear" "[US][NO]*" "$hint" "grpc://127.0.0.1:$(port $name)"
done
fails "the server expects TLS" "[US][NO]*" "$hint" "grpc://127.0.0.1:$(port tls)"
ca=(-a ca.pem)
for name in http1 garbage; do
	fails "$name, over TLS" SOURCE "the TLS handshake with the KMS failed (*); check that the \
server supports TLS and whether it requires a client certificate" \
		"${ca[@]}" "https://127.0.0.1:$(port $name)"
done
fails "the server does not speak TLS" SOURCE "the TLS handshake with the KMS failed (*); check that \
the server supports TLS and whether it requires a client certificate" \
	"${ca[@]}" "https://localhost:$(port plain)"
for name in close close-later; do
	fails "$name, over TLS" UNREACHABLE "the connection was lost before an answer arrived (*); \
if this persists, the KMS may require a client certificate (--kms-cert, --kms-key)" \
		"${ca[@]}" "https://127.0.0.1:$(port $name)"
done
fails "TLS with HTTP/1.1" SOURCE "the server does not support HTTP/2, which gRPC requires; check \
that the endpoint is a KMS" "${ca[@]}" "https://localhost:$(port https)"

# -------------------------------------------------------------------- TLS
tls() { # NAME
	echo "https://localhost:$(port "$1")"
}
opens "TLS with a private CA" "${ca[@]}" "$(tls tls)"
opens "TLS, by address" "${ca[@]}" "https://127.0.0.1:$(port tls)"
opens "any other scheme means TLS" "${ca[@]}" "grpcs://localhost:$(port tls)"
opens "in the clear, certificate files are not read" -a no-such-file "$plain"
unproven="cannot verify the certificate of the KMS (*); give its CA with --kms-ca, and check the \
clock"
fails "a CA unknown to the system" SOURCE "$unproven" "$(tls tls)"
fails "another CA" SOURCE "$unproven" -a other-ca.pem "$(tls tls)"
fails "an expired certificate" SOURCE "the certificate of the KMS has expired, or the \
clock of this machine is wrong (*)" "${ca[@]}" "$(tls expired)"
fails "a certificate that is not valid yet" UNREACHABLE "the certificate of the KMS is not valid \
yet (*); check the clock of this machine" "${ca[@]}" "$(tls future)"
fails "a certificate for another name" SOURCE "the certificate of the KMS is for another name \
(*localhost*); use the name in the certificate as endpoint" "${ca[@]}" "$(tls other)"
fails "missing CA file" USAGE "cannot read the CA certificates no-such-file: No such file or \
directory" -a no-such-file "$(tls tls)"
fails "a CA file without a certificate" USAGE "client.key contains no CA certificate (*)" \
	-a client.key "$(tls tls)"

# -------------------------------------------------------------- mutual TLS
opens "mutual TLS" "${ca[@]}" -c client.pem -k client.key "$(tls mutual)"
# In TLS 1.3 the server rejects the client after the handshake, and a reset may discard its alert.
fails "no client certificate" "[US][NO]*" "*require* a client certificate*" "${ca[@]}" \
	"$(tls mutual)"
fails "a client certificate of another CA" "[US][NO]*" "*client certificate" \
	"${ca[@]}" -c stranger.pem -k stranger.key "$(tls mutual)"
fails "the key of another certificate" USAGE \
	"cannot use the certificate client.pem with the key stranger.key (*)" \
	"${ca[@]}" -c client.pem -k stranger.key "$(tls mutual)"
fails "an encrypted key: no passphrase prompt" USAGE \
	"cannot use the certificate client.pem with the key locked.key (*)" \
	"${ca[@]}" -c client.pem -k locked.key "$(tls mutual)"
fails "a file that is not a certificate" USAGE \
	"cannot use the certificate config with the key client.key (*)" \
	"${ca[@]}" -c config -k client.key "$(tls mutual)"
fails "missing client certificate file" USAGE \
	"cannot read the certificate no-such-file: No such file or directory" \
	"${ca[@]}" -c no-such-file -k client.key "$(tls mutual)"
fails "missing key file" USAGE \
	"cannot read the key of the certificate no-such-file: No such file or directory" \
	"${ca[@]}" -c client.pem -k no-such-file "$(tls mutual)"
fails "a certificate without its key" USAGE "a client certificate for a KMS requires both the \
certificate and its key; only the certificate is given" "${ca[@]}" -c client.pem "$(tls mutual)"
fails "a key without its certificate" USAGE "a client certificate for a KMS requires both the \
certificate and its key; only the key is given" "${ca[@]}" -k client.key "$(tls mutual)"

# ------------------------------------------------------------------ proxies
through=http://127.0.0.1:$(port proxy)
connects() { # N DESCRIPTION: the proxy has logged N CONNECT requests
	[ "$(grep -c "^CONNECT 127.0.0.1:" proxy.log)" = "$1" ]
	result $? "$2"
}
: >proxy.log
http_proxy=$through opens "through http_proxy" "$plain"
connects 2 "the proxy was used"
https_proxy=$through opens "in the clear through https_proxy, as in Talos" "$plain"
connects 4 "the proxy was used"
HTTPS_PROXY=$through opens "TLS through HTTPS_PROXY" "${ca[@]}" "https://127.0.0.1:$(port tls)"
connects 6 "the proxy was used"
all_proxy=$through opens "through all_proxy" "$plain"
connects 8 "the proxy was used"
all_proxy=http://127.0.0.1:1 https_proxy=$through opens "https_proxy before all_proxy" "$plain"
connects 10 "the proxy was used"
https_proxy=$through no_proxy=127.0.0.1 opens "no proxy for hosts in no_proxy" "$plain"
connects 10 "the proxy was not used"
refuses() { # STATUS CODE
	https_proxy=http://127.0.0.1:$(port "proxy-$1") fails "a proxy that responds with $1" "$2" "the \
proxy refuses to connect to the KMS: HTTP status $1; https_proxy, http_proxy and no_proxy select the \
proxy" "$plain"
}
refuses 403 SOURCE
refuses 502 UNREACHABLE
https_proxy=http://kms.invalid:1 fails "unknown proxy name" UNREACHABLE "cannot resolve the name of \
the proxy; check the name and the network (*)" "$plain"

# ---------------------------------------------------------- choice of libcurl
libraries=$(dirname "$call")
fake() { # NUMBER CODE MESSAGE
	mkdir -p "fake$1"
	cp "$libraries/libfake_curl_$1.so" "fake$1/libcurl.so.4"
	cp "$libraries/libfake_curl_$1.so" "fake$1/libcurl-gnutls.so.4"
	got=$(LD_LIBRARY_PATH=$PWD/fake$1 "$call" seal "$plain" "$data" 2>&1)
	judge "unusable libcurl ($1)" "$got" $? \
		"$2: failed to seal KMS passphrase: $plain: $3"
}
none="cannot load libcurl, which keys of kind kms require; install libcurl4"
fake 1 UNSUPPORTED "$none (libcurl.so.4 lacks curl_*; libcurl-gnutls.so.4 lacks curl_*)"
fake 2 UNSUPPORTED "$none (libcurl.so.4 9.9.9 is built without HTTP/2; libcurl-gnutls.so.4 9.9.9 is built \
without HTTP/2)"
fake 3 UNSUPPORTED "$none (libcurl.so.4 9.9.9 is built without TLS; libcurl-gnutls.so.4 9.9.9 is built without \
TLS)"
fake 4 UNSUPPORTED "$none (cannot initialize libcurl.so.4 9.9.9; cannot initialize \
libcurl-gnutls.so.4 9.9.9)"
fake 5 UNSUPPORTED "libcurl 9.9.9 does not support all options that a call to a KMS requires; install \
a newer one"
fake 6 UNREACHABLE "the connection was lost before an answer arrived (fake); if this persists, the \
server may require TLS (https://)"
mkdir empty
: >empty/libcurl.so.4
: >empty/libcurl-gnutls.so.4
got=$(LD_LIBRARY_PATH=$PWD/empty "$call" seal "$plain" "$data" 2>&1)
judge "libcurl cannot be loaded" "$got" $? "UNSUPPORTED: failed to seal KMS passphrase: \
$plain: $none (*libcurl.so.4*libcurl-gnutls.so.4*)"
cp "$libraries/libfake_curl_2.so" empty/libcurl.so.4
rm empty/libcurl-gnutls.so.4
if ldconfig -p 2>/dev/null | grep -q 'libcurl-gnutls\.so\.4 '; then
	LD_LIBRARY_PATH=$PWD/empty opens "the second libcurl is used if the first one is unusable" "$plain"
fi

# ----------------------------------------------- the deadline, in parallel
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

# Sockets must be close-on-exec: mkfs may be started for another volume during a call.
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

judge_late() { # NAME ENDPOINT REASON
	local got status seconds

	got=$(head -n 1 "late.$1")
	read -r status seconds < <(tail -n 1 "late.$1")
	[ "$seconds" -ge 9 ] && [ "$seconds" -le 300 ] || status="$status, after $seconds s"
	judge "$1: timeout" "$got" "$status" "UNREACHABLE: failed to seal KMS passphrase: $2: $3"
}
mute="no answer within 10 s: the connection was established; the KMS may be overloaded"
# The server also enforces 10 s, from the request's header, and may report the timeout first.
judge_late service "$plain" "*overloaded"
judge_late headers "$raw" "$mute"
judge_late body "$raw" "$mute"
judge_late silent "grpc://127.0.0.1:$(port silent)" "$mute"
judge_late handshake "https://127.0.0.1:$(port silent)" \
	"no answer within 10 s: the TLS handshake did not complete; check that the server supports TLS"
judge_late proxy "$plain" "no answer within 10 s: the proxy established no connection"

finish
