#!/bin/sh
# Alertmanager 0.25.0 (Debian 12, prometheus-alertmanager 0.25.0-1+b4): one alert, two different starts.
#
# An alert is posted with a start in microseconds. The webhook receiver gets `startsAt` as it was posted, the API answers with
# the same alert's start cut to milliseconds. A program that ends the alert by posting back what the API returned moves the
# start: Alertmanager keeps the earlier of the two, so the webhook's message of the end has another `startsAt` than that of
# the beginning. Whoever matches the two messages by labels and start, as the fields suggest, never sees the alert end. Seen:
#
#     firing   startsAt 2020-01-02T03:04:05.461576Z
#     API      startsAt 2020-01-02T03:04:05.461Z
#     resolved startsAt 2020-01-02T03:04:05.461Z
#
# What it means for us: alerts are matched by labels and failure number, or by the start in whole milliseconds.
set -eu
version=0.25.0-1+b4
work=$(mktemp -d)
server= receiver=
trap 'for pid in $server $receiver; do kill "$pid"; done; rm -rf "$work"' EXIT
cd "$work"
apt-get -q download "prometheus-alertmanager=$version" > /dev/null 2>&1
dpkg-deb -x ./*.deb .
cat > receiver.py <<'PYTHON'
import http.server, json


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open("messages", "a") as file:
            file.writelines(f"{alert['status']} {alert['startsAt']}\n" for alert in message["alerts"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.HTTPServer(("127.0.0.1", 28429), Receiver).serve_forever()
PYTHON
cat > config.yml <<'YAML'
route: {receiver: hook, group_wait: 0s, group_interval: 1s, group_by: [alertname]}
receivers: [{name: hook, webhook_configs: [{url: "http://127.0.0.1:28429/", send_resolved: true}]}]
YAML
: > messages
python3 receiver.py &
receiver=$!
usr/bin/prometheus-alertmanager --config.file=config.yml --storage.path=data --cluster.listen-address= \
    --web.listen-address=127.0.0.1:28430 2> log &
server=$!
url=http://127.0.0.1:28430/api/v2/alerts
wait_for() { for _ in $(seq 200); do eval "$1" && return; sleep 0.1; done; echo "did not come: $1" >&2; cat log; exit 1; }
post() { curl -fs -H 'Content-Type: application/json' -d "$1" "$url"; }
wait_for 'curl -fs "$url" > /dev/null'
post '[{"labels": {"alertname": "A"}, "startsAt": "2020-01-02T03:04:05.461576Z", "endsAt": "2099-01-01T00:00:00Z"}]'
wait_for 'grep -q firing messages'
api=$(curl -fs "$url" | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["startsAt"])')
post "[{\"labels\": {\"alertname\": \"A\"}, \"startsAt\": \"$api\", \"endsAt\": \"$(date -u +%FT%TZ)\"}]"
wait_for 'grep -q resolved messages'
firing=$(sed -n 's/^firing //p' messages | head -n 1)
resolved=$(sed -n 's/^resolved //p' messages | head -n 1)
printf 'firing   startsAt %s\nAPI      startsAt %s\nresolved startsAt %s\n' "$firing" "$api" "$resolved"
[ "$firing $api $resolved" = '2020-01-02T03:04:05.461576Z 2020-01-02T03:04:05.461Z 2020-01-02T03:04:05.461Z' ] ||
    { echo "Alertmanager gives other times now" >&2; exit 1; }
