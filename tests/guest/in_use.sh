#!/usr/bin/env bash
# Volumes that are in use: a reset ordered for the next run, --reboot, and what down says of the
# users of a volume. Runs in a guest: see tools/guest/uml. tests/guest/guide has a reset over two boots.
# shellcheck disable=SC2154,SC2317  # work, meta: set in sourced files; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

static='static: {passphrase: first}, slot: 0'
orders=$root/system/state/resets.json

# stage [OPTION]... NAME: order a reset. Only the volume and STATE may be given.
stage() {
	"$MORTISE" reset --yes --staged "$@" --device "STATE=$state"
}

withdraw() {
	"$MORTISE" reset --withdraw "$@" --device "STATE=$state"
}

no_orders() {
	[[ $(jq -c .resets "$orders") == '[]' ]]
}

# hold DIRECTORY: start a process in it, and set $holder.
hold() {
	(cd "$1" && exec sleep 600) &
	holder=$!
	until_holds executes "$holder" sleep
}

release() {
	kill "$holder"
	wait "$holder" || true
}

# write_file: a file that a reset loses.
write_file() {
	echo lost >"$root/var/mnt/data/file"
}

file_exists() {
	[[ -e $root/var/mnt/data/file ]]
}

uuid_of() {
	cryptsetup luksUUID "$1"
}

test_staged() {
	local before

	new_machine
	declare_keys "$static" "$static, lockToState: true"
	check "apply" mortise apply -f "$config"
	write_file
	before=$(uuid_of "$data")
	check_fails "nothing is staged" grep -qs data "$orders"
	hold "$root/var/mnt/data"
	check_status 5 "reset refuses a volume that a process uses" \
		"$MORTISE" reset --yes u-data --device "u-data=$data"
	check_status 1 "an order needs a confirmation" "$MORTISE" reset --staged u-data \
		--device "u-data=$data" --device "STATE=$state"
	check "an order is accepted" said stage u-data --device "u-data=$data"
	check "reset says when" says "The next \`mortise up\` that finds these volumes closed"
	check_equal "only root can read the order" "$(stat -c %a "$orders")" 600
	check "status shows the order" said mortise status
	check "with the command to withdraw it" says "mortise reset --withdraw u-data"
	check "status --json shows it" test \
		"$(mortise status --json | jq -c '[.volumes[].resetStaged]')" = '[false,true]'
	check "plan shows the order" said mortise plan
	check "plan says what it waits for" says "erase $data (LUKS2) at the first \`mortise up\`"
	check_equal "plan --json shows it" \
		"$(mortise plan --json | jq -r '.steps[] | select(.kind == "reset").volume')" data
	check "up succeeds" said mortise up
	check "up erases nothing that is in use" file_exists
	check "up says so" says "erase $data (LUKS2) at the first \`mortise up\`"
	release
	check "the order is withdrawn" said withdraw data
	check_status 1 "a second time it is not" withdraw data
	check "down" down
	check "up succeeds" mortise up
	check "the volume was not erased" file_exists
	check "an order is accepted again, by its label" stage u-data --device "u-data=$data"
	check "down" down
	check_fails "status does not know it while STATE is closed" eval \
		"mortise status | grep withdraw"
	check "up STATE" "$MORTISE" up STATE --root "$root" --node-uuid "$uuid" "${places[@]}"
	check "plan" said mortise plan
	check "plan shows the erasure" says "erase $data (LUKS2), ordered by"
	check "plan shows the format" says "format $data (empty) as LUKS2"
	check "plan changes nothing" test "$(uuid_of "$data")" = "$before"
	check "up succeeds" said mortise up
	check "up says what it erased" says "data: notice: erased (LUKS2), ordered by"
	check_fails "the file is gone" file_exists
	check "the header is another one" test "$(uuid_of "$data")" != "$before"
	check "the order is gone" no_orders
	before=$(uuid_of "$data")
	check "down" down
	check "the next up erases nothing" mortise up
	check_equal "the header is the same" "$(uuid_of "$data")" "$before"
	down
}

# The guide's order: the volume becomes encrypted at the next boot; here from and to each state.
test_other_contents() {
	new_machine
	declare_keys "$static" -
	check "apply" mortise apply -f "$config"
	write_file
	declare_keys "$static" "$static"
	check "apply --staged" mortise apply --staged -f "$config"
	check "the order" stage data --device "data=$data"
	check "down" down
	check "up erases the plain volume and encrypts it" said mortise up
	check "the notice names what was erased" says "erased (ext4)"
	check "it is encrypted" uuid_of "$data"
	write_file
	# As after a power cut in the middle of the erasure.
	check "the order" stage data --device "data=$data"
	check "down" down
	check_status 137 "up is killed while it erases" strace -f -qq -o "$work/trace" \
		-e trace=pwrite64 -e inject=pwrite64:signal=KILL:when=60 \
		"$MORTISE" up "${cost[@]}" --root "$root" --node-uuid "$uuid" "${places[@]}"
	check_fails "the volume has no header" uuid_of "$data"
	check "the next up finishes the reset" said mortise up
	check "it says so" says "erased (an interrupted reset)"
	check_fails "the file is gone" file_exists
	down
	# A known volume that is empty by now.
	blkdiscard -z "$data"
	check "up STATE" "$MORTISE" up STATE --root "$root" --node-uuid "$uuid" "${places[@]}"
	check_match "up does not format a known volume again" "$(mortise up 2>&1)" \
		"*is empty now: not formatted*"
	check "the order" stage data --device "data=$data"
	check "up formats it" said mortise up
	down
}

# An order is for the contents that it was given for.
test_stale() {
	new_machine
	declare_keys "$static" "$static"
	check "apply" mortise apply -f "$config"
	check "the order" stage data --device "data=$data"
	check "a reset at once" "$MORTISE" reset --yes data --device "data=$data" \
		--device "STATE=$state"
	check "up formats the volume; the order is not for it" said mortise up
	check "up says so" says "holds another volume"
	write_file
	check "the order is dropped" no_orders
	down
	check "up keeps the volume" mortise up
	check "it was not erased" file_exists
	# An order for a volume that is no longer declared.
	check "the order" stage data --device "data=$data"
	printf -- '---\napiVersion: v1alpha1\nkind: VolumeConfig\nname: STATE\n' >"$config"
	printf 'encryption: {provider: luks2, keys: [{%s}]}\n' "$static" >>"$config"
	check "down" down
	places=(--device "META=$meta" --device "STATE=$state")
	check "apply without the volume erases it" said mortise apply -f "$config"
	check "it says so" says "erased, ordered by"
	check_fails "it has no header" uuid_of "$data"
	check "the order is gone" no_orders
	printf '{"version": 2}' >"$orders"
	check "up succeeds with a damaged list" said mortise up
	check "up says that it is damaged" says "resets.json is damaged"
	down
}

test_refused() {
	new_machine
	declare_keys "$static" "$static"
	check_status 4 "no order without a STATE to keep it" said "$MORTISE" reset --yes --staged \
		data --device "data=$data"
	check "the error says so" says "this machine has no STATE"
	check "apply" mortise apply -f "$config"
	check_status 4 "no order for a STATE without META" said "$MORTISE" reset --yes --staged STATE \
		--device "STATE=$state"
	check "the error says so" says "it has no META, which would hold the order"
	check_status 1 "no order for META" stage META
	check_status 4 "no order for a missing volume" stage other
	check_status 1 "--withdraw excludes --staged" "$MORTISE" reset --staged --withdraw data
	down
	check_fails "no order while STATE is closed" said stage data --device "data=$data"
	check "the error says what to do" says "run \`mortise up STATE\` first"
}

# forge FILE DEVICE [UUID]: add an order for a device to a list.
forge() {
	jq -c --arg device "$2" --arg uuid "${3-}" '.resets += [{id: "victim", device: $device,
		uuid: $uuid, partuuid: "", full: false}]' "$1"
}

# An order that another program has written leads to no file, and to no device that it only names.
test_forged() {
	local file=$work/victim disk

	new_machine
	disk=$(blank_device 8)
	head -c 65536 /dev/urandom | tee "$file" >"$disk"
	declare_keys "$static" "$static"
	check "apply" mortise apply -f "$config"
	check "an order for STATE" stage STATE --device "META=$meta"
	meta_tag 240 >"$work/order"
	check "down" down
	for victim in "$file" "$disk"; do
		forge "$work/order" "$victim" >"$work/forged"
		check "the order in META" "$MORTISE" meta set 240 "$work/forged" --device "META=$meta"
		check "up" said mortise up
		check "it says why" says "victim: notice: not erased: $victim"
		check "the contents are the same" cmp -n 65536 "$file" "$disk"
		check "the order in META is withdrawn" withdraw STATE --device "META=$meta"
		printf '{"version": 1, "resets": []}' >"$work/none"
		forge "$work/none" "$victim" >"$orders"
		check "up" said mortise up
		check "it says why" says "victim: notice: not erased: $victim"
		check "the contents are the same" cmp -n 65536 "$file" "$disk"
		rm "$orders"
		check "down" down
	done
	check "STATE was not erased" mortise up
	check_status 4 "no order together with STATE for a device without a UUID" \
		said stage STATE victim --device "victim=$disk" --device "META=$meta"
	check "the error says so" says "has no UUID that tells it from another device"
	check_fails "META has no order" meta_tag 240
	down
}

# META holds the order to erase STATE, and what is to be erased with it.
test_state() {
	local before meta_option

	new_machine
	meta_option=(--device "META=$meta")
	declare_keys "$static" "$static, lockToState: true"
	check "apply" mortise apply -f "$config"
	write_file
	hold "$root/system/state"
	check_status 5 "reset refuses STATE while a process uses it" \
		"$MORTISE" reset --yes STATE --device "STATE=$state" "${meta_option[@]}"
	check "the order" stage STATE data --device "data=$data" "${meta_option[@]}"
	check_equal "status shows it" \
		"$(mortise status --json | jq -c '[.volumes[].resetStaged]')" '[true,true]'
	check "plan" said mortise plan
	check "plan has a note" says "note: STATE will be erased by the next"
	check "up erases nothing in use" said mortise up
	check "up says so" says "not erased yet, because $data is in use"
	umount "$root/var/mnt/data"
	cryptsetup close luks2-u-data
	check "up erases nothing while STATE is in use" said mortise up
	check "up says so" says "not erased yet, because $state is in use"
	check "the file is still there" file_exists
	check "the order is withdrawn" withdraw STATE "${meta_option[@]}"
	check_fails "META has none" meta_tag 240
	check_status 1 "a second time it is not" withdraw STATE "${meta_option[@]}"
	check "the order again" stage STATE data --device "data=$data" "${meta_option[@]}"
	before=$(meta_tag 240)
	release
	check "down" down
	check "up erases both and formats them" said mortise up -f "$config"
	check "up says so for STATE" says "STATE: notice: erased, ordered by"
	check "and for the other volume" says "data: notice: erased, ordered by"
	check_fails "the file is gone" file_exists
	check_fails "META has no order" meta_tag 240
	write_file
	check "down" mortise down -f "$config"
	# An old order, as in a copy of META.
	printf %s "$before" >"$work/order"
	check "an old order is put back" "$MORTISE" meta set 240 "$work/order" "${meta_option[@]}"
	check "up keeps this STATE" said mortise up -f "$config"
	check "up says so" says "the order in META named another STATE, and was dropped"
	check "the file is kept" file_exists
	check_fails "META has no order" meta_tag 240
	# The stored configuration is lost with STATE.
	check "apply" mortise apply -f "$config"
	check "the order for STATE alone" stage STATE "${meta_option[@]}"
	check "down" down
	check_fails "up has no configuration" said mortise up
	check "it has erased STATE" says "STATE: notice: erased, ordered by"
	check_equal "STATE is blank" "$(blkid -p -s TYPE "$state")" ""
	check "the other volume is not" uuid_of "$data"
}

# --reboot runs the program of the init system.
test_reboot() {
	local bin=$work/bin

	mkdir "$bin"
	printf '#!/bin/sh\necho "$0 $*" >%s/rebooted\n' "$work" >"$bin/reboot"
	chmod +x "$bin/reboot"
	cp "$bin/reboot" "$bin/systemctl"
	new_machine
	declare_keys "$static" "$static"
	check "apply --reboot" env PATH="$bin:$PATH" "$MORTISE" apply --reboot -f "$config" \
		"${cost[@]}" --root "$root" "${places[@]}"
	check_equal "it runs reboot" "$(cat "$work/rebooted")" "$bin/reboot "
	rm "$work/rebooted"
	check_status 4 "it does not reboot after a failure" env PATH="$bin:$PATH" "$MORTISE" reset \
		--yes --staged --reboot STATE --device "STATE=$state"
	check_fails "nothing was rebooted" test -e "$work/rebooted"
	check_status 1 "without the program, nothing is changed" said env PATH="$work" \
		"$MORTISE" reset --yes --staged --reboot data --device "data=$data" \
		--device "STATE=$state"
	check "the error says so" says "the program reboot was not found; nothing was changed"
	check_fails "there is no order" grep -qs data "$orders"
	mkdir -p /run/systemd/system
	check "reset --staged --reboot" env PATH="$bin:$PATH" "$MORTISE" reset --yes --staged \
		--reboot data --device "data=$data" --device "STATE=$state"
	rmdir /run/systemd/system /run/systemd
	check_equal "it runs systemctl under systemd" "$(cat "$work/rebooted")" \
		"$bin/systemctl reboot"
	check "there is an order" grep -q data "$orders"
	check_status 1 "a dry run does not reboot" "$MORTISE" apply --dry-run --reboot -f "$config"
	down
}

# down_names TEXT PATTERN...: down ends with status 6, because STATE is closed, and names the users.
down_names() {
	local text=$1 pattern
	shift

	check_status 6 "down fails: $text" said mortise down
	for pattern; do
		check "down names it: $pattern" says "$pattern"
	done
	check "up opens STATE again" mortise up
}

test_users() {
	local mount=$root/var/mnt/data node=/dev/mapper/luks2-u-data size

	new_machine
	declare_keys "$static" "$static"
	check "apply" mortise apply -f "$config"
	cp /bin/sleep "$mount/program"
	hold "$mount"
	down_names "a working directory" "data: cannot unmount $mount: it is in use" \
		"files open in sleep (process $holder)"
	release
	exec 7<"$mount/program"
	down_names "an open file" "(process $$)"
	exec 7<&-
	mount -o remount,exec "$mount"
	"$mount/program" 600 &
	holder=$!
	until_holds executes "$holder" program
	down_names "a program" "files open in program (process $holder)"
	release
	mkdir "$mount/inner"
	mount -t tmpfs none "$mount/inner"
	down_names "another file system" "mounted at $mount/inner"
	umount "$mount/inner"
	mkdir "$work/other"
	mount "$node" "$work/other"
	down_names "another mount point" "$node is still in use: mounted at $work/other"
	umount "$work/other"
	mortise down >"$work/out"
	"$MORTISE" up --no-mount data --root "$root" "${places[@]}" >"$work/out"
	size=$(blockdev --getsz "$node")
	dmsetup create --noudevsync vg-lv --uuid LVM-made-up --table "0 $size linear $node 0"
	check_status 6 "down does not close a volume below LVM" said mortise down
	check "down names the LVM volume" says "is still in use: held by /dev/dm-"
	check "with its name" says "(LVM volume vg-lv)"
	check_status 5 "neither does reset" said "$MORTISE" reset --yes u-data --device "u-data=$data"
	check "reset names the LVM volume" says "(LVM volume vg-lv); close that first"
	dmsetup remove --noudevsync vg-lv
	check "up mounts it" mortise up
	# udev and blkid hold a file for a moment.
	(exec 8<"$mount/program" && exec sleep 0.3) &
	until_holds executes $! sleep
	check "down waits for a file that is open for a moment" mortise down
	wait
	check_fails "it is unmounted" findmnt "$mount"
}

# up_file DIRECTORY FILE ROOT: run in a directory, with relative paths.
up_file() {
	(cd "$1" && "$MORTISE" up -f "$2" --root "$3" "${cost[@]}" "${places[@]}")
}

# down and status without options act on what up opened in this boot.
test_bare() {
	local other=$work/second

	new_machine
	declare_keys "$static" "$static"
	rm -f /run/mortise/opened
	check_fails "a bare status knows nothing at first" said "$MORTISE" status
	check "up with a file and a root" up_file "$work" config.yaml root
	check "a bare status succeeds" said "$MORTISE" status
	check "it shows where the volume is mounted" says "$root/var/mnt/data"
	check "status with a name shows the volume" said "$MORTISE" status data
	check "it is ready" says "data    $data  ready"
	check_fails "and no other one" says STATE
	check "status with its label" "$MORTISE" status u-data
	check_status 4 "status with an unknown name" said "$MORTISE" status nothing
	check_equal "prints cryptsetup's text" "$(cat "$work/said")" "/dev/mapper/nothing is inactive."
	check "status with the name of a mapping" said "$MORTISE" status luks2-u-data
	check "shows the mapping" says "/dev/mapper/luks2-u-data is active and is in use."
	ln -sf "$MORTISE" "$work/cryptsetup"
	check_status 4 "status under the name cryptsetup" said "$work/cryptsetup" status data
	check_equal "prints cryptsetup's text" "$(cat "$work/said")" "/dev/mapper/data is inactive."
	check_equal "status --json" "$("$MORTISE" status --json | jq -r '.volumes[1].phase')" ready
	check "a bare down succeeds" said "$MORTISE" down
	check_fails "it has closed the volume" test -e /dev/mapper/luks2-u-data
	check_fails "and unmounted STATE" findmnt "$root/system/state"
	check_fails "afterwards, status knows nothing" "$MORTISE" status
	# Two configurations: STATE in one, a user volume in the other.
	mkdir "$other"
	awk 'NR > 1 && /^---/ { exit } 1' "$config" >"$other/state.yaml"
	printf -- '---\napiVersion: v1alpha1\nkind: UserVolumeConfig\nname: data\n%s\n%s\n' \
		"encryption: {provider: luks2, keys: [{$static}]}" 'filesystem: {type: ext4}' >"$other/data.yaml"
	places=(--device "STATE=$state")
	check "up with the first file" up_file "$other" state.yaml "$root"
	places=(--device "data=$data")
	check "up with the second file" up_file "$other" data.yaml "$other"
	check "a bare status shows the last one" said "$MORTISE" status
	check "it shows its volume" says "$other/var/mnt/data"
	check "a bare down closes the last one" said "$MORTISE" down
	check "it says what else is open" says "($other/state.yaml, root $root); to close them"
	check_fails "the volume is closed" test -e /dev/mapper/luks2-u-data
	check "STATE is still open" test -e /dev/mapper/luks2-STATE
	check "options still select the volumes" "$MORTISE" status -f "$other/state.yaml" \
		--root "$root" --device "STATE=$state"
	check "another bare down closes it" said "$MORTISE" down
	check_fails "STATE is closed" test -e /dev/mapper/luks2-STATE
	check "a file that is gone" up_file "$other" data.yaml "$other"
	mv "$other/data.yaml" "$other/moved.yaml"
	check_fails "is named by the error" said "$MORTISE" down
	check "with its path" says "cannot read $other/data.yaml"
	check "it can be given" "$MORTISE" down -f "$other/moved.yaml" --root "$other" "${places[@]}"
	rm -f /run/mortise/opened
}

# down names another configuration only if a volume of it is open.
test_notes() {
	local note="volumes of another configuration were opened in this boot"

	new_machine
	declare_keys "$static" -
	check "apply with a file" mortise apply -f "$config"
	check "up with the stored configuration" mortise up
	check "down closes everything" said "$MORTISE" down
	check_fails "STATE is closed" test -e /dev/mapper/luks2-STATE
	check_fails "the plain volume is unmounted" findmnt "$root/var/mnt/data"
	check_fails "down names nothing else" says "$note"
	check_equal "no run is left" "$(jq -c . /run/mortise/opened)" "[]"
	awk 'NR > 1 && /^---/ { exit } 1' "$config" >"$work/state.yaml"
	awk '/^---/ { n++ } n > 1' "$config" >"$work/data.yaml"
	places=(--device "data=$data")
	check "up of the plain volume" up_file "$work" data.yaml root
	places=(--device "STATE=$state")
	check "up of STATE" up_file "$work" state.yaml root
	check "down closes STATE" said "$MORTISE" down
	check "down names the configuration of the mounted plain volume" says "$note ($work/data.yaml"
	check "up of STATE" up_file "$work" state.yaml root
	umount "$root/system/state"
	cryptsetup close luks2-STATE
	places=(--device "data=$data")
	check "up of the plain volume" up_file "$work" data.yaml root
	check "down closes the plain volume" said "$MORTISE" down
	check_fails "it names nothing that was closed by hand" says "$note"
	check_fails "the plain volume is unmounted" findmnt "$root/var/mnt/data"
	rm -f /run/mortise/opened
}

# in_root COMMAND...: run mortise where $root is the root directory, without the configuration.
in_root() {
	chroot "$root" /program/mortise "$@"
}

# As after an initramfs: what up has mounted below --root is below "/" then.
test_switched_root() {
	local dir mounts

	new_machine
	declare_keys "$static" -
	mkdir -p /run/mortise "$root/own" "$root/var" "$root/run/mortise" "$root/run/cryptsetup" "$root/program"
	ln -s /own "$root/var/mnt"
	cp -a /bin /lib /lib64 /sbin "$root/"
	for dir in usr proc sys dev run/mortise run/cryptsetup; do
		mkdir -p "$root/$dir"
		mount --rbind "/$dir" "$root/$dir"
	done
	mount --bind "$(dirname "$MORTISE")" "$root/program"
	mounts=$(findmnt -rn | wc -l)
	check "apply below the root" mortise apply -f "$config"
	check "both volumes are mounted" test "$(findmnt -rn | wc -l)" -eq $((mounts + 2))
	check "status in the root" said in_root status
	check "it finds STATE" says " /system/state"
	check_equal "it finds both volumes ready" \
		"$(in_root status --json | jq -c '[.volumes[].phase]')" '["ready","ready"]'
	ln -sfn /other "$root/var/mnt"
	check "down in the root" said in_root down
	check_fails "STATE is closed" test -e /dev/mapper/luks2-STATE
	check "both are unmounted" test "$(findmnt -rn | wc -l)" -eq "$mounts"
	check_equal "no run is left" "$(jq -c . /run/mortise/opened)" "[]"
	check "up with a file and a relative root" up_file "$work" config.yaml root
	check "down of one volume in the root" said in_root down data
	check "STATE is still open" test -e /dev/mapper/luks2-STATE
	check "down of the other" said in_root down
	check_fails "STATE is closed" test -e /dev/mapper/luks2-STATE
	check "both are unmounted" test "$(findmnt -rn | wc -l)" -eq "$mounts"
	check "up" mortise up
	mv "$root" "$root.moved"
	mkdir "$root"
	check_fails "another directory in the place of the root is not taken for it" \
		eval '"$MORTISE" status | grep ready'
	rmdir "$root"
	mv "$root.moved" "$root"
	check "down from outside" said "$MORTISE" down
	check "both are unmounted" test "$(findmnt -rn | wc -l)" -eq "$mounts"
	umount -R -l "$root"/{usr,proc,sys,dev,run/mortise,run/cryptsetup,program}
	rm -rf "$root"
	mkdir "$root"
	rm -f /run/mortise/opened
}

# without_run COMMAND...: run it where /run is read-only. Its output is in $work/said afterwards.
without_run() {
	local status=0

	# shellcheck disable=SC2016  # expanded by the inner shell
	unshare --mount --propagation private bash -c '
		mount -t tmpfs -o ro none /run && "$@" >/tmp/said 2>&1' bash "$@" || status=$?
	cp /tmp/said "$work/said"
	return "$status"
}

test_readonly_run() {
	new_machine
	declare_keys "$static" "$static"
	cp "$config" /tmp/config.yaml
	# The namespace ends with the command, and its mounts with it; the mappings stay.
	for verb in up down status; do
		# shellcheck disable=SC2016  # expanded by the inner shell
		check "$verb succeeds where /run is read-only" without_run bash -c '
			"$MORTISE" up "${@:2}" '"${cost[*]}"' && "$MORTISE" "$1" "${@:2}"
		' bash "$verb" -f /tmp/config.yaml --root /mnt "${places[@]}"
		check "up says what is lost" says \
			"/run/mortise, so that \`mortise status\` and \`mortise down\` will not know"
	done
	check "so does reset" without_run "$MORTISE" reset --yes data --device "data=$data" \
		--device "STATE=$state"
	"$MORTISE" down -f /tmp/config.yaml --root /mnt "${places[@]}" >"$work/out" 2>&1
}

# A suspended mapping would make each read wait for ever.
test_suspended() {
	new_machine
	declare_keys "$static" "$static"
	check "apply" mortise apply -f "$config"
	check "down" mortise down
	check "open by hand" open_by_hand
	check "suspend" "$MORTISE" luksSuspend luks2-u-data
	check_fails "up does not mount it" said mortise up
	check "it says how to resume it" says 'run `mortise luksResume luks2-u-data`'
	check "resume" resume_by_hand
	check "up mounts it" said mortise up
	mortise down >/dev/null 2>&1
}

open_by_hand() {
	printf first | "$MORTISE" open --key-file - "$data" luks2-u-data
}

resume_by_hand() {
	printf first | "$MORTISE" luksResume --key-file - luks2-u-data
}

for topic in ${1:-suspended staged other_contents stale refused forged state reboot users bare notes switched_root readonly_run}; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
