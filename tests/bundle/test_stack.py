"""The stack as it is started: nothing but loopback, pinned, healthy, without a password anybody knows."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

Json = dict[str, Any]

PORTS: Final = {"exporter": 10110, "prometheus": 9090, "alertmanager": 9093, "node-exporter": 9100}


@pytest.fixture
def compose(repository: Path) -> Json:
    """The compose file."""
    return dict(yaml.safe_load((repository / "docker-compose.yml").read_text()))


def compose_command() -> list[str]:
    """Return the command that is compose version 2; empty where there is none."""
    places = (None, *os.environ.get("BUNDLE_TOOLS", "").split(os.pathsep))
    programs = [[program] for place in places if (program := shutil.which("docker-compose", path=place))]
    docker = shutil.which("docker")
    for command in (*programs, *([[docker, "compose"]] if docker else [])):
        reported = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False)
        if reported.returncode == 0 and reported.stdout.lstrip("v").startswith("2."):
            return command
    return []


@pytest.mark.parametrize("environment", [{}, {"BUILD_ROOT": "/mnt/lfs", "BUILD_EXPORTER_JOURNAL_MODE": "rw"}])
def test_compose_accepts_the_file(environment: dict[str, str], repository: Path) -> None:
    """Compose itself takes the file, by its own schema, with and without what can be set."""
    command = compose_command()
    if not command:
        pytest.skip("docker compose (version 2) is not installed")
    checked = subprocess.run(
        [*command, "--profile", "node", "config", "-q"],
        cwd=repository,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stderr


def test_containers_are_pinned_bounded_and_without_rights(compose: Json) -> None:
    """Each image by an exact version, read-only, no capabilities, bounded memory, processes and logs."""
    for name, service in compose["services"].items():
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]), name
        assert service["network_mode"] == "host", name
        assert "ports" not in service, name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert "privileged" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["restart"] == "unless-stopped", name


def test_every_container_tells_whether_it_is_well(compose: Json, repository: Path) -> None:
    """A health check each, on loopback; the exporter's is in its image, where no curl is needed."""
    for name, service in compose["services"].items():
        if name == "exporter":
            assert "HEALTHCHECK" in (repository / "exporter/Dockerfile").read_text()
        else:
            assert "http://127.0.0.1:" in " ".join(service["healthcheck"]["test"]), name


def test_everything_listens_on_loopback(compose: Json, repository: Path) -> None:
    """In containers and without them, no program can be reached from another machine."""
    for name, port in PORTS.items():
        assert f"--web.listen-address=127.0.0.1:{port}" in compose["services"][name]["command"], name
    assert compose["services"]["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    procfile = (repository / "Procfile").read_text()
    for name in ("exporter", "prometheus", "alertmanager"):
        (line,) = [line for line in procfile.splitlines() if line.startswith(f"{name}: ")]
        assert f"--web.listen-address=127.0.0.1:{PORTS[name]}" in line
    for flags in (procfile, " ".join(compose["services"]["alertmanager"]["command"])):
        assert re.search(r"--cluster\.listen-address=(\s|$)", flags)


def test_containers_and_bare_machine_run_the_same(compose: Json, repository: Path) -> None:
    """Prometheus and Alertmanager get the same flags but for their directories."""
    for name in ("prometheus", "alertmanager"):
        (line,) = [x for x in (repository / "Procfile").read_text().splitlines() if x.startswith(f"{name}: ")]
        bare = {word.partition("=")[0]: word for word in line.split() if word.startswith("--")}
        contained = {word.partition("=")[0]: word for word in compose["services"][name]["command"]}
        assert set(bare) == set(contained)
        for flag in set(bare) - {"--config.file", "--storage.path", "--storage.tsdb.path"}:
            assert bare[flag] == contained[flag]


def test_alertmanager_finds_its_secrets(compose: Json, repository: Path) -> None:
    """It is started in the directory of its configuration: files of passwords are looked for from there."""
    (line,) = [x for x in (repository / "Procfile").read_text().splitlines() if x.startswith("alertmanager: ")]
    assert " cd alertmanager && exec " in line
    service = compose["services"]["alertmanager"]
    assert f"./alertmanager:{service['working_dir']}:ro" in service["volumes"]
    for example in (repository / "alertmanager/examples").glob("*.yml"):
        for path in re.findall(r"_file: (\S+)", example.read_text()):
            assert path.startswith("secrets/"), example


def test_there_is_no_password_anybody_knows(compose: Json) -> None:
    """Grafana's password and key come from files made for this machine, and nothing is fetched or reported."""
    environment = compose["services"]["grafana"]["environment"]
    for key in ("GF_SECURITY_ADMIN_PASSWORD", "GF_SECURITY_SECRET_KEY"):
        assert key not in environment
        name = environment[f"{key}__FILE"].removeprefix("/run/secrets/")
        assert compose["secrets"][name]["file"].startswith("./var/secrets/")
        assert name in compose["services"]["grafana"]["secrets"]
    assert environment["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"
    assert environment["GF_ANALYTICS_REPORTING_ENABLED"] == "false"


def test_what_is_mounted_is_in_the_project(compose: Json, repository: Path) -> None:
    """Each of the project's directories a container mounts is there, and cannot be written from it."""
    mounted = 0
    for name, service in compose["services"].items():
        for volume in service.get("volumes", ()):
            if volume.startswith("./"):
                source, _, mode = volume.split(":")
                assert (repository / source).is_dir(), (name, source)
                assert mode == "ro", (name, source)
                mounted += 1
    assert mounted == 4


def test_grafana_finds_what_is_provisioned(compose: Json, repository: Path) -> None:
    """The paths and names provisioning relies on are those of the container, the dashboards and the data sources."""
    grafana = compose["services"]["grafana"]
    # Grafana logs an error at each start for one of these that is not there
    for kind in ("dashboards", "datasources", "plugins", "alerting"):
        assert (repository / "grafana/provisioning" / kind).is_dir()
    provider = yaml.safe_load((repository / "grafana/provisioning/dashboards/build-exporter.yml").read_text())
    (path,) = {each["options"]["path"] for each in provider["providers"]}
    assert f"./grafana/dashboards:{path}:ro" in grafana["volumes"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (repository / "grafana/dashboards" / Path(home).name).is_file()
    assert all(each["updateIntervalSeconds"] > 10 for each in provider["providers"])
    sources = yaml.safe_load((repository / "grafana/provisioning/datasources/build-exporter.yml").read_text())
    by_type = {each["type"]: each for each in sources["datasources"]}
    assert by_type["prometheus"]["jsonData"]["alertmanagerUid"] == by_type["alertmanager"]["uid"]
    assert by_type["alertmanager"]["jsonData"]["implementation"] == "prometheus"
    scraping = yaml.safe_load((repository / "prometheus/prometheus.yml").read_text())
    assert by_type["prometheus"]["jsonData"]["timeInterval"] == scraping["global"]["scrape_interval"]


def test_prometheus_scrapes_and_sends_where_the_others_listen(repository: Path) -> None:
    """The addresses in prometheus.yml are those the stack listens on, and rules find their job by its name."""
    config = yaml.safe_load((repository / "prometheus/prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert jobs["build-exporter"]["static_configs"] == [{"targets": ["localhost:10110"]}]
    assert jobs["prometheus"]["static_configs"] == [{"targets": ["localhost:9090"]}]
    (alertmanager,) = config["alerting"]["alertmanagers"]
    assert alertmanager["static_configs"] == [{"targets": ["localhost:9093"]}]
    assert "external_labels" not in config["global"]


def test_the_image_is_built_from_a_pinned_base_and_runs_as_nobody(repository: Path) -> None:
    """Both stages share one exact base; the last stage drops root; what is not needed does not get into the context."""
    text = (repository / "exporter/Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases[0])
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", text, re.MULTILINE)
    copied = {word for line in re.findall(r"^COPY ([^-].*) \S+$", text, re.MULTILINE) for word in line.split()}
    ignore = (repository / "exporter/Dockerfile.dockerignore").read_text().splitlines()
    assert ignore[0] == "*"
    assert {f"!{name.rstrip('/')}" for name in copied} <= set(ignore)


@pytest.mark.parametrize("unit", ["build-exporter.service", "user/build-exporter.service"])
def test_systemd_accepts_the_units(unit: str, repository: Path, tmp_path: Path) -> None:
    """systemd takes every line of the units."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "build-exporter.service"
    shutil.copy(repository / "exporter/systemd" / unit, path)
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert checked.returncode == 0, checked.stderr
    assert "build-exporter.service:" not in checked.stderr


def test_the_service_can_do_little_and_yields_to_the_build(repository: Path) -> None:
    """The system unit has no rights beyond reading, is bounded, and gives way to the build."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(repository / "exporter/systemd/build-exporter.service")
    service = dict(parser["Service"])
    assert service["User"] == "build-exporter"
    assert service["CapabilityBoundingSet"] == ""
    for key in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "MemoryDenyWriteExecute", "RestrictNamespaces"):
        assert service[key] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["IPAddressDeny"] == "any"
    assert service["MemoryMax"]
    assert int(service["Nice"]) > 0


def test_the_exposure_of_the_service_is_what_the_guide_says(repository: Path) -> None:
    """systemd's own review rates the system unit as docs/guide/install.md does, below 2 of 10."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = repository / "exporter/systemd/build-exporter.service"
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=19", str(unit)]
    reviewed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if "--offline" in reviewed.stderr:
        pytest.skip("this systemd reviews running services only")
    assert reviewed.returncode == 0, reviewed.stdout
    found = re.search(r"exposure level for build-exporter.service: ([\d.]+)", reviewed.stdout)
    assert found is not None
    assert f"rates its exposure at {found[1]}," in (repository / "docs/guide/install.md").read_text()


def test_user_and_journal_are_made_before_the_first_start(repository: Path, tmp_path: Path) -> None:
    """systemd makes the user and the journal, which builds of the group can write to, from the shipped files."""
    programs = ("systemd-sysusers", "systemd-tmpfiles")
    if not all(map(shutil.which, programs)) or os.geteuid() != 0:
        pytest.skip("needs root and systemd's programs")
    (tmp_path / "etc").mkdir()
    for program, name, more in zip(programs, ("sysusers", "tmpfiles"), ((), ("--create",)), strict=True):
        file = repository / f"exporter/systemd/build-exporter.{name}"
        subprocess.run([program, f"--root={tmp_path}", *more, str(file)], check=True, capture_output=True)
    (user,) = (tmp_path / "etc/passwd").read_text().splitlines()
    assert user.split(":")[0] == "build-exporter"
    journal = (tmp_path / "var/lib/build-exporter/journal").stat()
    assert (journal.st_uid, oct(journal.st_mode & 0o7777)) == (int(user.split(":")[2]), "0o2775")


def test_the_files_of_the_install_guide_are_there(repository: Path) -> None:
    """Every file that the guide copies exists, and every unit is in the guide."""
    text = (repository / "docs/guide/install.md").read_text()
    named = set(re.findall(r"exporter/systemd/\S+", text))
    assert named == {
        str(path.relative_to(repository)) for path in (repository / "exporter/systemd").rglob("build-exporter.*")
    }
