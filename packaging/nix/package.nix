# SPDX-License-Identifier: MIT
{ lib, stdenv, cmake, ninja, pkg-config, openssl, json_c, libyaml, util-linux, liburing, curl, tpm2-tss }:

stdenv.mkDerivation {
  pname = "mortise";
  version = "0.1.0";
  src = lib.cleanSource ../..;

  nativeBuildInputs = [ cmake ninja pkg-config ];
  buildInputs = [ openssl json_c libyaml util-linux liburing curl tpm2-tss ];
  cmakeFlags = [
    "-DBUILD_TESTING=OFF"
    "-DMORTISE_SYSTEMD=ON"
    "-DMORTISE_SYSTEMD_UNIT_DIR=${placeholder "out"}/lib/systemd/system"
    "-DMORTISE_SYSTEMD_TMPFILES_DIR=${placeholder "out"}/lib/tmpfiles.d"
  ];

  # Units name the program without its path. libcurl and tpm2-tss are loaded by name when a key needs them.
  postFixup = ''
    substituteInPlace $out/lib/systemd/system/*.service --replace-quiet "=mortise " "=$out/bin/mortise "
    patchelf --add-rpath ${lib.makeLibraryPath [ curl tpm2-tss ]} $out/bin/mortise
  '';

  meta = {
    description = "LUKS2 disk encryption for appliances, with declared volumes";
    license = lib.licenses.mit;
    platforms = lib.platforms.linux;
    mainProgram = "mortise";
  };
}
