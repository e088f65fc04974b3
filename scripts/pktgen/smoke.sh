#!/bin/busybox sh
# The first process of the virtual machine of `smoke`: every profile once, over a veth pair.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in /modules/*; do
    insmod "$module"
done
# The kernel names the other end.
ip link add p0 type veth
ip link set p0 up
ip link set veth0 up
sleep 1
failed=

value() { # statistic of the other end
    cat "/sys/class/net/veth0/statistics/$1"
}

# Frames of 60 bytes but for the mix, which has 7 of 60, 4 of 590, 1 of 1514 in 12 on the average.
for profile in forward forward-many open flood imix; do
    packets=$(value rx_packets) bytes=$(value rx_bytes)
    if ! sh /run "$profile" p0 02:00:00:00:00:0a count=6000 seconds=60; then
        failed="$failed $profile(run)"
        continue
    fi
    packets=$(($(value rx_packets) - packets)) bytes=$(($(value rx_bytes) - bytes))
    echo "$profile: $packets frames, $bytes bytes arrived"
    # Neighbour discovery of the two ends comes on top.
    [ "$packets" -ge 6000 ] && [ "$packets" -lt 6100 ] || failed="$failed $profile(frames)"
    mean=$((bytes / (packets + 1))) low=58 high=64
    [ "$profile" = imix ] && low=320 high=400
    [ "$mean" -ge $low ] && [ "$mean" -le $high ] || failed="$failed $profile(bytes:$mean)"
done
sh /run nonsense p0 02:00:00:00:00:0a 2>/dev/null && failed="$failed nonsense"
[ -z "$failed" ] && echo "SMOKE OK" || echo "SMOKE FAILED:$failed"
poweroff -f
