#!/usr/bin/env bash
# Attack: the file system of one volume holds a symbolic link where the mount point of the next one
# leads through, or in place of a file of STATE. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

victim=/run/victim
kernel=()

# The same on a kernel before Linux 5.6.
without_openat2() {
	kernel=(strace -f -qq -o "$work/trace" -e trace=openat2 -e inject=openat2:error=ENOSYS)
}

run() {
	local verb=$1
	shift

	said ${kernel[@]+"${kernel[@]}"} "$MORTISE" "$verb" -f "$config" --root "$root" \
		--device "EPHEMERAL=$var" --device "data=$data" "$@"
}

declare_var_and_data() {
	cat >"$config" <<-END
		---
		apiVersion: v1alpha1
		kind: VolumeConfig
		name: EPHEMERAL
		encryption: {provider: luks2, keys: [{static: {passphrase: var}, slot: 0}]}
		---
		apiVersion: v1alpha1
		kind: UserVolumeConfig
		name: data
		encryption: {provider: luks2, keys: [{static: {passphrase: data}, slot: 0}]}
		filesystem: {type: ext4}
	END
}

is_mounted() {
	grep -q " ext4 /dev/mapper/luks2-u-data " /proc/self/mountinfo
}

# plant COMMAND...: run it in /var while only this volume is mounted.
plant() {
	run up EPHEMERAL && (cd "$root/var" && "$@") && run down
}

link_mnt() {
	rm -rf mnt && ln -s "$victim" mnt
}

link_data() {
	rm -rf mnt && mkdir mnt && ln -s "$victim/data" mnt/data
}

restore() {
	rm -rf mnt && mkdir -p mnt/data
}

# refused LINK COMMAND...
refused() {
	local link=$root$1
	shift

	check "the link is planted" plant "$@"
	check_fails "up fails" run up
	check "up names the link" says "cannot mount /dev/mapper/luks2-u-data at \
$root/var/mnt/data: $link is a symbolic link"
	check_fails "the volume is not mounted" is_mounted
	check "nothing is created behind the link" test -z "$(ls -A "$victim/data")"
	check_fails "the volume does not count as ready" said run status
	# A program that mounts it there does not make it ready.
	mount /dev/mapper/luks2-u-data "$victim/data"
	check_fails "a mount behind the link does not count" run status
	check_fails "up does not take it for its own" run up
	umount "$victim/data"
	check "down closes the volumes" run down
}

test_mount_points() {
	local text=$1

	printf '# %s\n' "$text"
	rm -rf "$victim"
	mkdir -p "$victim/data"
	check "up mounts both volumes" run up "${cost[@]}"
	check "the volume is mounted" mountpoint -q "$root/var/mnt/data"
	check "a second up finds them" run up
	check "down" run down
	refused /var/mnt link_mnt
	refused /var/mnt/data link_data
	check "without the link" plant restore
	check "up mounts both volumes again" run up
	check "the volume is mounted" mountpoint -q "$root/var/mnt/data"
	check "down" run down
}

# The root itself may be reached through a link: the operator gives it.
test_root() {
	local real=$root

	ln -s "$root" "$work/link"
	root=$work/link
	check "up mounts below a root that is a link" run up
	check "the volume is mounted" mountpoint -q "$real/var/mnt/data"
	check "status" run status
	check "down" run down
	check_fails "the volume is unmounted" is_mounted
	root=$real
}

# in_state COMMAND...: run it in the directory of STATE.
in_state() {
	mkdir -p "$work/mount"
	printf first | cryptsetup open "$state" hand --key-file -
	mount /dev/mapper/hand "$work/mount"
	(cd "$work/mount" && "$@")
	umount "$work/mount"
	cryptsetup close hand
}

plant_file() {
	cp "$1" "$work/copy" && ln -sf "$work/copy" "$1"
}

test_state() {
	new_machine
	declare_keys "static: {passphrase: first}, slot: 0" \
		"static: {passphrase: second}, slot: 0, lockToState: true"
	check "apply" mortise apply -f "$config"
	down
	check "up finds the configuration" said mortise up
	down
	in_state plant_file encryption-salt.yaml
	check_fails "up refuses a salt behind a link" said mortise up
	check "up names the file" says "encryption-salt.yaml: Too many levels of symbolic links"
	down
	in_state mv "$work/copy" encryption-salt.yaml
	check "up finds the configuration again" said mortise up
	down
	in_state plant_file config.yaml
	check_fails "up refuses a configuration behind a link" said mortise up
	check "up names the file" says \
		"cannot read $root/system/state/config.yaml: Too many levels of symbolic links"
	umount "$root/system/state"
	cryptsetup close luks2-STATE
}

var=$(blank_device 330)
data=$(blank_device 64)
declare_var_and_data
test_mount_points "with openat2"
test_root
without_openat2
test_mount_points "without openat2"
check "openat2 was made to fail" grep -q 'ENOSYS.*INJECTED' "$work/trace"
check_fails "and never succeeded" grep -qv 'ENOSYS.*INJECTED' "$work/trace"
kernel=()
test_state
finish
