"""Read a volume through its seek table, independently of Mailhaul's code.

seektable.py FILE: check that the table matches the frames that zstd finds,
frame by frame, and print "frames compressed plain".
"""
import struct
import subprocess
import sys


def main(path):
    data = open(path, "rb").read()
    count, descriptor, magic = struct.unpack("<IBI", data[-9:])
    assert magic == 0x8F92EAB1, "footer magic"
    assert descriptor & 0x7C == 0, "reserved bits"
    row = 12 if descriptor & 0x80 else 8
    start = len(data) - 9 - count * row - 8
    head, length = struct.unpack("<II", data[start:start + 8])
    assert head == 0x184D2A5E, "skippable magic"
    assert length == count * row + 9, "skippable length"
    at = plain = 0
    for i in range(count):
        csize, dsize = struct.unpack_from("<II", data, start + 8 + i * row)
        frame = data[at:at + csize]
        assert frame[:4] == b"\x28\xb5\x2f\xfd", "frame %d magic" % i
        assert frame[4] & 4, "frame %d has no checksum" % i
        out = subprocess.run(["zstd", "-dcq"], input=frame, check=True,
                             stdout=subprocess.PIPE).stdout
        assert len(out) == dsize, "frame %d plain size" % i
        at += csize
        plain += dsize
    assert at == start, "table doesn't add up"
    print(count, at, plain)


main(sys.argv[1])
