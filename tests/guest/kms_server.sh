# shellcheck shell=bash
# A KMS for scripts, in addition to lib.sh: a server with gRPC's own library.

ip link set lo up
NODE_PATH=$("${here:?the directory tests/}/../tools/npm-packages")
export NODE_PATH
port=4050
log=${work:?lib.sh comes first}/kms.log
: >"$log"

# start_kms [OPTION]...: always on the same port, with the key in $work/kms-key.
start_kms() {
	rm -f "$work/port"
	node "$here/kms/server.mjs" --port "$port" --port-file "$work/port" \
		--key-path "$work/kms-key" --log "$log" "$@" </dev/null >"$work/kms.out" 2>&1 &
	echo $! >"$work/kms.pid"
	appears "$work/port" "$work/kms.out"
}

stop_kms() {
	local pid
	pid=$(cat "$work/kms.pid")
	kill "$pid" 2>/dev/null || true
	while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}

# calls Seal|Unseal: print how often the KMS was called.
calls() {
	grep -c "\"method\":\"$1\"" "$log" || true
}
