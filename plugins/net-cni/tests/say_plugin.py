"""A CNI plugin that makes nothing: it writes down what it is told, and fails where its configuration says so."""

import json
import os
import sys


def main():
    verb = os.environ["CNI_COMMAND"]
    config = json.load(sys.stdin)
    versions = config.get("speaks") or ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
    if verb == "VERSION":
        return {"cniVersion": "1.1.0", "supportedVersions": SPEAKS or versions}
    heard = {key: value for key, value in os.environ.items() if key.startswith("CNI_")}
    with open(config["file"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"verb": verb, "environment": heard, "config": config}) + "\n")
    fault = config.get("fault", {}).get(verb)
    if fault == "die":
        os.kill(os.getpid(), 9)
    if fault == "once":
        with open(config["file"], encoding="utf-8") as file:
            fault = {"code": 11, "msg": "busy"} if len(file.readlines()) == 1 else None
    if fault:
        sys.stdout.write(json.dumps({"cniVersion": config["cniVersion"], **fault}))
        sys.exit(1)
    if verb == "ADD":
        return config.get("prevResult") or {"cniVersion": config["cniVersion"], "interfaces": [], "ips": []}
    return None


SPEAKS = json.loads(os.environ.get("SAY_SPEAKS", "null"))

if __name__ == "__main__":
    answer = main()
    if answer is not None:
        sys.stdout.write(json.dumps(answer))
