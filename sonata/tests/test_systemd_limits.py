"""A pod's limits as systemd's properties; that systemd takes them is seen in tests/guest."""

from sonata.host.systemd import limits


def test_every_limit_of_a_pod_has_its_property() -> None:
    device = {"major": 8, "minor": 16}
    found = limits(
        {
            "memory": {"limit": 100, "swap": 150, "reservation": 50},
            "cpu": {"shares": 1024, "quota": 50_000, "period": 100_000, "cpus": "0-1,9", "mems": "0"},
            "blockIO": {
                "weight": 300,
                "weightDevice": [{**device, "weight": 400}],
                "throttleReadBpsDevice": [{**device, "rate": 7}],
            },
        }
    )
    assert {name: value for name, _kind, value in found} == {
        "AllowedCPUs": [3, 2],
        "AllowedMemoryNodes": [1],
        "MemoryMax": 100,
        "MemorySwapMax": 50,
        "MemoryLow": 50,
        "CPUWeight": 39,
        "CPUQuotaPerSecUSec": 500_000,
        "IOWeight": 300,
        "IODeviceWeight": [("/dev/block/8:16", 400)],
        "IOReadBandwidthMax": [("/dev/block/8:16", 7)],
    }
