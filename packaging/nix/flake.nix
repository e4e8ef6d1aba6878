# SPDX-License-Identifier: MIT
# nix build path:.?dir=packaging/nix, in the top folder of the tree. The kernel needs CONFIG_DM_CRYPT,
# CONFIG_CRYPTO_XTS, CONFIG_CRYPTO_AES and CONFIG_KEYS; NixOS loads dm-crypt as a module.
{
  description = "LUKS2 disk encryption for appliances, with declared volumes";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "riscv64-linux" ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      packages = each (pkgs: rec {
        default = mortise;
        mortise = pkgs.callPackage ./package.nix { };
      });

      nixosModules.default = { config, lib, pkgs, ... }:
        let
          cfg = config.services.mortise;
        in
        {
          options.services.mortise = {
            enable = lib.mkEnableOption "the encrypted volumes that this machine declares";
            options = lib.mkOption {
              type = lib.types.listOf lib.types.str;
              default = [ ];
              description = "More options of mortise up.";
            };
          };
          config = lib.mkIf cfg.enable {
            boot.kernelModules = [ "dm-crypt" ];
            environment.systemPackages = [ self.packages.${pkgs.system}.mortise ];
            systemd.packages = [ self.packages.${pkgs.system}.mortise ];
            systemd.services.mortise = {
              wantedBy = [ "local-fs.target" ];
              path = [ self.packages.${pkgs.system}.mortise pkgs.xfsprogs pkgs.e2fsprogs ];
              environment.MORTISE_UP = toString cfg.options;
            };
          };
        };
    };
}
