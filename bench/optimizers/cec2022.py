"""Computes a function of CEC 2022 for the other end of stdin and stdout.

Answers first its best value, then to each request (a count, so many points) the values.
"""
import struct, sys
import numpy as np
import minionpy

number, n = int(sys.argv[1]), int(sys.argv[2])
f = minionpy.CEC2022Functions(function_number=number, dimension=n)
sys.stdout.buffer.write(struct.pack("<d", f.get_f_opt()))
sys.stdout.buffer.flush()
while head := sys.stdin.buffer.read(4):
    count = struct.unpack("<I", head)[0]
    x = np.frombuffer(sys.stdin.buffer.read(8 * n * count), dtype="<f8").reshape(count, n)
    sys.stdout.buffer.write(np.asarray(f(x), dtype="<f8").tobytes())
    sys.stdout.buffer.flush()
