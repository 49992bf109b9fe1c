#!/bin/sh
# Tests IPFIX over SCTP in a kernel that has SCTP: Debian's, booted by qemu with
# the test binary inside, so that both ends of a connection are there. Nothing is
# installed and no rights are needed: packages are fetched with apt-get and
# unpacked into a directory. If qemu is installed that one runs.
#
#	nfcap/sctp-qemu.sh [DIR]
#
# DIR keeps the packages for the next time; without it they are in a temporary
# directory that is removed. TIMEOUT is for the virtual machine, in seconds.
# The exit code is that of the tests, or 2 when they could not be run.
set -eu

fail() {
	echo "sctp-qemu: $*" >&2
	exit 2
}

cd "$(dirname "$0")/.." || fail "no checkout around $0"
dir=${1:-}
if [ -z "$dir" ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
fi
mkdir -p "$dir/debs" "$dir/root"
dir=$(cd "$dir" && pwd)
root=$dir/root

# fetch unpacks Debian's kernel for virtual machines, a static busybox, and qemu
# with the libraries that this machine lacks.
fetch() {
	[ "$(uname -m)" = x86_64 ] || fail "the virtual machine is an x86_64"
	kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	[ -n "$kernel" ] || fail "apt knows no linux-image-cloud-amd64: run apt-get update"
	want=busybox-static
	command -v qemu-system-x86_64 >/dev/null || want="$want qemu-system-x86"
	qemu=$(apt-get install -s --reinstall --no-install-recommends $want |
		sed -n 's/^Inst \([^ ]*\) .*/\1/p')
	(cd "$dir/debs" && timeout 600 apt-get download $qemu "$kernel") || fail "apt-get download"
	for deb in "$dir"/debs/*.deb; do
		dpkg-deb -x "$deb" "$root"
	done
	touch "$dir/fetched"
}

# image makes the initial file system: busybox, the modules, the test, and the
# first process, which runs it and tells its exit code as the last line.
image() {
	rm -rf "$dir/image"
	mkdir -p "$dir/image/bin" "$dir/image/proc" "$dir/image/sys" "$dir/image/dev" "$dir/image/tmp" "$dir/image/modules"
	cp "$(find "$root" -type f -path '*bin/busybox' | head -n 1)" "$dir/image/bin/busybox"
	for module in libcrc32c udp_tunnel ip6_udp_tunnel sctp; do
		find "$root" -name "$module.ko*" -exec cp {} "$dir/image/modules/" \;
	done
	CGO_ENABLED=0 go test -c -ldflags="-s -w" -o "$dir/image/test" ./lib/transport
	cat >"$dir/image/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs dev /dev
$b ip link set lo up
for module in libcrc32c udp_tunnel ip6_udp_tunnel sctp; do
	[ -e /modules/$module.ko.xz ] && $b unxz /modules/$module.ko.xz
	[ -e /modules/$module.ko ] && $b insmod /modules/$module.ko
done
$b uname -r
/test -test.run SCTP -test.v -test.timeout 120s
echo "exit code $?"
$b poweroff -f
INIT
	chmod +x "$dir/image/init"
	(cd "$dir/image" && find . | bin/busybox cpio -o -H newc) >"$dir/initrd"
}

# boot runs the virtual machine without hardware support, which test machines
# often have in name only; it takes some seconds.
boot() {
	qemu=$(find "$root" -name qemu-system-x86_64 -type f | head -n 1)
	if [ -n "$qemu" ]; then
		lib=usr/lib/x86_64-linux-gnu
		export LD_LIBRARY_PATH="$root/$lib:$root/lib/x86_64-linux-gnu" QEMU_MODULE_DIR="$root/$lib/qemu"
		set -- -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" -L /usr/share/qemu -L /usr/share/seabios
	fi
	timeout "${TIMEOUT:-300}" "${qemu:-qemu-system-x86_64}" "$@" \
		-accel tcg -smp 2 -m 512 -nodefaults -display none -no-reboot -serial stdio \
		-kernel "$(find "$root/boot" -name 'vmlinuz-*' | head -n 1)" -initrd "$dir/initrd" \
		-append 'console=ttyS0 quiet panic=-1' </dev/null
}

[ -e "$dir/fetched" ] || fetch
image
boot | tr -d '\r' | tee "$dir/log"
code=$(sed -n 's/^exit code \([0-9]*\)$/\1/p' "$dir/log")
[ -n "$code" ] || fail "the virtual machine did not run to its end"
grep -q '^--- PASS: TestSCTP ' "$dir/log" || fail "the kernel inside has no SCTP"
exit "$code"
