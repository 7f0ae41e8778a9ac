"""A network driver in netavark's plugin protocol, as small as one can be: a pair of links for each container."""

import json
import os
import subprocess
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))


def main(verb, *more):
    if verb == "info":
        return {"version": "0.1.0", "api_version": "1.0.0"}
    asked = json.load(sys.stdin)
    with open(os.path.join(FOLDER, "asked" if verb == "create" else verb), "w", encoding="utf-8") as file:
        json.dump(asked, file)
    return {"create": create, "setup": setup, "teardown": teardown}[verb](asked, *more)


def create(asked):
    fault = asked.get("options", {}).get("fault")
    if fault == "refuse":
        print(json.dumps({"error": "I do not like it"}))
        sys.exit(1)
    if fault in ("silent", "nothing"):
        sys.exit(3 if fault == "silent" else 0)
    if fault in ("name", "id", "driver"):
        return {**asked, fault: "another"}
    if fault == "shape":
        return {**asked, "network_interface": 7}
    subnets = asked.get("subnets") or [{"subnet": "10.300.0.0/24" if fault == "subnet" else "10.214.0.0/24"}]
    options = {**asked.get("options", {}), "made-by": "pair"}
    return {**asked, "subnets": subnets, "options": options, "dns_enabled": False}


def setup(asked, netns):
    name, address = asked["network_options"]["interface_name"], asked["network_options"]["static_ips"][0]
    outside = "pair-" + asked["container_id"][:6]
    gateway = asked["network"]["subnets"][0]["gateway"]
    run("ip", "link", "add", outside, "type", "veth", "peer", "name", name, "netns", netns)
    run("ip", "link", "set", outside, "up")
    inside(netns, "ip", "address", "add", address + "/24", "dev", name)
    inside(netns, "ip", "link", "set", name, "up")
    links = json.loads(inside(netns, "ip", "-j", "link", "show", "dev", name))
    subnet = {"ipnet": address + "/24", "gateway": gateway}
    return {
        "dns_search_domains": [],
        "dns_server_ips": [],
        "interfaces": {name: {"mac_address": links[0]["address"], "subnets": [subnet]}},
    }


def teardown(asked, netns):
    subprocess.run(["ip", "link", "delete", "pair-" + asked["container_id"][:6]], check=False, capture_output=True)


def inside(netns, *words):
    return run("nsenter", "--net=" + netns, *words)


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    answer = main(*sys.argv[1:])
    if answer is not None:
        print(json.dumps(answer))
