#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""tests/metrics/prometheus.py TUXSCOPE: as root. A real capture's metrics go through promtool, a real
node exporter (by way of a link, as the unit's do) and a real Prometheus, which is asked each query of
dist/grafana.json and has the rules of dist/prometheus.rules.yml."""

import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(port: int, path: str, **query: str) -> dict:
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)["data"]


def eventually(what: str, so) -> object:
    for _ in range(120):
        try:
            if found := so():
                return found
        except OSError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"never: {what}")


def main() -> None:
    tuxscope = sys.argv[1]
    rules = pathlib.Path("dist/prometheus.rules.yml").resolve()
    subprocess.run(["promtool", "check", "rules", rules], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["promtool", "test", "rules", "tests/metrics/rules.yml"], check=True,
                   stdout=subprocess.DEVNULL)
    children = []
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        run, collected = directory / "run", directory / "collector"
        for made in (run, collected):
            made.mkdir()
        metrics = run / "metrics.prom"
        (collected / "tuxscope.prom").symlink_to(metrics)
        exporter, server = free_port(), free_port()
        config = directory / "prometheus.yml"
        config.write_text(CONFIG.format(rules=rules, port=exporter))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        try:
            children.append(subprocess.Popen(
                [tuxscope, "proc", "--failed-execs", "--metrics", metrics, "--format", "json",
                 "-o", directory / "capture"], **quiet))
            eventually("metrics", metrics.exists)
            children.append(subprocess.Popen(
                ["prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
                 f"--collector.textfile.directory={collected}",
                 f"--web.listen-address=127.0.0.1:{exporter}"], **quiet))
            children.append(subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory}/data",
                 f"--web.listen-address=127.0.0.1:{server}"], **quiet))
            # Longer than it takes until the file is written anew.
            for _ in range(40):
                subprocess.run(["sh", "-c", "/bin/true; /bin/false; env /nonexistent"], **quiet, check=False)
                time.sleep(0.5)
            text = metrics.read_text()
            subprocess.run(["promtool", "check", "metrics"], input=text, text=True, check=True)
            eventually("a scrape", lambda: ask(server, "query", query="tuxscope_start_time_seconds")["result"])
            ended = "sum(tuxscope_processes_ended_total)"
            seen = eventually("processes", lambda: ask(server, "query", query=ended)["result"])
            assert float(seen[0]["value"][1]) >= 40, seen
            failing = "sum(node_textfile_scrape_error)"
            assert ask(server, "query", query=failing)["result"][0]["value"][1] == "0"
            panels = json.loads(pathlib.Path("dist/grafana.json").read_text())["panels"]
            queries = [target["expr"] for panel in panels for target in panel["targets"]]
            for query in queries:
                query = query.replace("$__rate_interval", "1m").replace("$instance", ".*")
                eventually(query, lambda query=query: ask(server, "query", query=query)["result"])
            loaded = [rule for group in ask(server, "rules")["groups"] for rule in group["rules"]]
            assert len(loaded) == 5 and all(rule["health"] == "ok" for rule in loaded), loaded
        finally:
            for child in children:
                child.terminate()
            for child in children:
                child.wait()
        print(f"{len(queries)} queries answered, {len(loaded)} rules loaded")


main()
