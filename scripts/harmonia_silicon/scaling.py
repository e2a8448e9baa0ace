"""From 180 nm to 28 and 16 nm by Stillmaker and Baas, "Scaling equations for the accurate prediction of CMOS device
performance from 180 nm to 7 nm", Integration 58 (2017): area by their table, delay and energy by their polynomials of the
supply voltage (high-performance devices). They have no 28 nm: it lies between their 32 and 20 nm on a logarithmic scale.
"""
import math

# Area of 180 nm in units of the node's; delay: coefficients of V^3, V^2, V, 1; energy: of V^2, V, 1.
AREA = {180: 1, 32: 40, 20: 88, 16: 99}
DELAY = {180: (0, 97.09, -356.7, 406.5), 32: (-1047, 2982, -2797, 873.5), 20: (0, 34.63, -66.37, 41.15), 16: (0, 24.8, -47.52, 28.87)}
ENERGY = {180: (0, 24.64, -17.98), 32: (0.8367, -0.4341, 0.1701), 20: (0.373, -0.1582, 0.04104), 16: (0.2958, -0.1241, 0.03024)}
VOLTAGE = {180: 1.8, 28: 0.9, 16: 0.8}


def polynomial(coefficients, v):
    value = 0.0
    for c in coefficients:
        value = value * v + c
    return value


def at(node, voltage):
    """(area, delay, energy) of the node, in the paper's units."""
    if node == 28:
        share = math.log(32 / 28) / math.log(32 / 20)
        return tuple(a ** (1 - share) * b ** share for a, b in zip(at(32, voltage), at(20, voltage)))
    return 1 / AREA[node], polynomial(DELAY[node], voltage), polynomial(ENERGY[node], voltage)


def factors(node):
    """What a figure of 180 nm at 1.8 V is multiplied by: {"area", "delay", "energy", "volts"}."""
    old, new = at(180, VOLTAGE[180]), at(node, VOLTAGE[node])
    return {"volts": VOLTAGE[node], **{k: n / o for k, o, n in zip(("area", "delay", "energy"), old, new)}}
