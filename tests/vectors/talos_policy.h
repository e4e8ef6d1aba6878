/* SPDX-License-Identifier: MIT */
/*
 * Policy digests that Talos Linux publishes for its sealed objects. The public key is
 * internal/pkg/secureboot/tpm2/testdata/pcr-signing-crt.pem of siderolabs/talos; the digests are in
 * internal/pkg/secureboot/tpm2/policy_test.go (tests without PCRs, and with the same value in PCRs
 * 0 and 11).
 */
#ifndef TESTS_VECTORS_TALOS_POLICY_H
#define TESTS_VECTORS_TALOS_POLICY_H

static const char talos_policy_key[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEA7qhAkdtZxqkIP79DDGin\n"
	"9eaJBeNlJsClJTcbaXbNfk2QJGT3lqo9ErXQQftwYWLGo+kVd8puhnHGPkLW9apT\n"
	"1/ZmUJEFwxV5xws0RllGVPhUga+1oubHUqhEiy707S4RrUEMk/o9wqmtnl2hY5Fx\n"
	"MeQn2o7xrpcNhm8FtHpvQrT0MsbC1cS1ytZH/hwPy/QIB9bx+ugOha6wtQBnpgix\n"
	"1BhHC/NwDIYPg+ONpQSCu9gkXVtLGlKfmjscUANQtBuVKa5NflrjkHw7NAdKYdKp\n"
	"Mnmzr0yu6Tn/2oNmUiJAwHz0BXpfb4Yn8n/IoKJQ5Tv1g6d30wxxpBd0lbwSe9ML\n"
	"RchIDJ5aFRybyRxaPGT17U3yEVzbV78kIFtocaqkc1ise8remZ0wxHzuolbTZD6o\n"
	"swt7C9jMLvfMAQ7JtENXrpDM//XzdRLzyTWKOjhG0YmKKRY6cIrPkugM0PHGCE3R\n"
	"MSH1FmPMrWWBNAMwS0Zba0Wm1b7vdw5fKeE8txH+IpA3IaE9AytYk0ig98ZgmXmB\n"
	"V0sgxmJ/94scEF+sDg65LIkSEJMzf6q30UghbJJoP7eKOoDX9KBrR+POEsWm/EcU\n"
	"5jTEQTHMU+qKtj5KD6TUn8R8yi4wCnyZ7uJLUqm8Ou8MzEZWbrsrbMvrewPDAHn0\n"
	"QQvb2tDtBgn6oH192jpkzckCAwEAAQ==\n"
	"-----END PUBLIC KEY-----\n";

static const char talos_policy_pcr_value[] =
	"9c9c1058779d2bf6301b56085b26e9ae98622e1fa73eadd98b9ca3a10829c19c";
static const char talos_policy_no_pcrs[] =
	"86dc2b7f5aebde57d472ddbc3d5bd5b50b156f4d6ba662c21affbfb1b2d4b984";
static const char talos_policy_pcrs_0_11[] =
	"14ff86f8069ce4f2c918325e2e1b7811cfc5e6278dd10b86a90416c28fe6476a";

/* openssl rsa -pubin -RSAPublicKey_out -outform DER | sha256sum (OpenSSL 3.0). */
static const char talos_policy_fingerprint[] =
	"58f58f625bd8a8b6681e4b40688cf99b26419b6b2c5f6e14a2c7c67a3b0b1620";

/* A key with the exponent 2147483649, which takes five bytes in DER, and its fingerprint. */
static const char large_exponent_key[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBJDANBgkqhkiG9w0BAQEFAAOCAREAMIIBDAKCAQEArbOn1eRPuqDb99QRAgNS\n"
	"IzrIwtr7vCjJic7svWvZB2fdNET9sLvlRFzYPI8S5lVjgddyeaKRARHRJFNgF1jY\n"
	"NywqrwmhyE+r/N7vZQVcKb9iILzE2tXpw7VAVtx7C0Igg3vwq3zC9b72GgYlPExy\n"
	"d7CagCBQdCz1w2ORFgg1dHSY9r2NMMnVGPCJgiIp5uUxP9s0HRJdDPsAWxa51L8f\n"
	"m1eR+s0xUmtMlyIXPw3IukwgEkMKhQItGniXpO2obYi23gUZU9qIM83nfYowNKv/\n"
	"9ZyY51HelTFZWpF99pG9nmorn5GMcCWBni3WH8YUSSE8c+lp2CKjy1z5W/qJaMhe\n"
	"EwIFAIAAAAE=\n"
	"-----END PUBLIC KEY-----\n";
static const char large_exponent_fingerprint[] =
	"68de6f145f267ab7a31bb06ab906e42b690e2c1bdf70ec6e283572595ecf73e5";

#endif
