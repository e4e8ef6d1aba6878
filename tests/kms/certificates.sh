#!/bin/bash
# SPDX-License-Identifier: MIT
# Creates certificates in the current directory, for kms.sh and other tests with TLS on loopback:
#   ca.pem, other-ca.pem       two private CAs
#   server.pem, server.key     for localhost, 127.0.0.1 and ::1, issued by ca.pem
#   expired, future, other     the same, but expired, not yet valid, or for another name
#   client.pem, client.key     a client certificate, issued by ca.pem
#   stranger.pem, stranger.key a client certificate, issued by other-ca.pem
#   locked.key                 client.key encrypted with a passphrase
set -euo pipefail

settings() {
	cat <<-END
		[ca]
		default_ca = here
		[here]
		dir = $PWD
		database = index
		rand_serial = yes
		new_certs_dir = $PWD
		default_md = sha256
		policy = any
		copy_extensions = none
		unique_subject = no
		[any]
		commonName = supplied
		[server]
		subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
		[other]
		subjectAltName = DNS:kms.example
		[client]
		extendedKeyUsage = clientAuth
	END
}

key() { # FILE
	openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

authority() { # NAME
	key "$1.key"
	openssl req -x509 -new -key "$1.key" -subj "/CN=$1" -days 2 -out "$1.pem"
}

# certificate NAME CA EXTENSIONS [START END]
certificate() {
	key "$1.key"
	openssl req -new -key "$1.key" -subj "/CN=$1" -out request
	openssl ca -batch -notext -config config -cert "$2.pem" -keyfile "$2.key" \
		-extensions "$3" -startdate "${4-$yesterday}" -enddate "${5-$tomorrow}" \
		-in request -out "$1.pem" 2>log || { cat log >&2; exit 1; }
}

when() { # DATE
	date -u -d "$1" +%Y%m%d%H%M%SZ
}

yesterday=$(when yesterday)
tomorrow=$(when tomorrow)
: >index
settings >config
authority ca
authority other-ca
certificate server ca server
certificate expired ca server "$(when '3 days ago')" "$yesterday"
certificate future ca server "$tomorrow" "$(when '3 days')"
certificate other ca other
certificate client ca client
certificate stranger other-ca client
openssl ec -in client.key -aes128 -passout pass:secret -out locked.key 2>log
