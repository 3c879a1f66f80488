#!/bin/sh
# Run while the image is made, outside it, with the image's root as $1: keeps the one program of busybox-static and
# gives it all its names.
set -eu

root=$1
program=$(find "$root" -type f -name busybox -perm -100 | head -n 1)
mv "$program" "$root/busybox.keep"
for entry in "$root"/*; do
    case "${entry##*/}" in busybox.keep | proc | sys | dev | tmp) ;; *) rm -rf "$entry" ;; esac
done
mkdir -p "$root/bin" "$root/etc" "$root/home" "$root/root" "$root/usr/bin" "$root/usr/sbin" "$root/sbin" \
    "$root/var/spool/mail" "$root/var/www"
mv "$root/busybox.keep" "$root/bin/busybox"
chroot "$root" /bin/busybox --install -s /bin
echo 'root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false' >"$root/etc/passwd"
echo 'root:x:0:
daemon:x:1:
www-data:x:33:
nogroup:x:65534:' >"$root/etc/group"
