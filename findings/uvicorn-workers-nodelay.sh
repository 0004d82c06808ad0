#!/bin/sh
# uvicorn 0.54.0 (PyPI) with h11 0.16.0 and asyncio's loop, Python 3.11.
#
# The same application answers on a kept connection in less than a millisecond with `--workers 1`, and in more than 40 ms
# with `--workers 2` (`--reload` takes the same way). asyncio sets TCP_NODELAY on a connection only if its socket
# has the protocol number IPPROTO_TCP. A connection inherits that number from the listening socket: with one worker asyncio
# makes that by getaddrinfo, which gives 6; for several workers uvicorn makes it by socket.socket(family), which leaves 0.
# uvicorn writes the head of an answer and its body one after the other, so that without TCP_NODELAY the body waits until
# the client's delayed acknowledgement of the head comes.
#
# Seen: median of 60 requests on one connection 0.2 ms with one worker, 44 to 52 ms with two.
#
# What it means for us: sockets that are opened before the server get TCP_NODELAY from us, and head and body leave in one
# write. Any tool that scrapes an exporter of several uvicorn workers pays 40 ms a scrape.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || :; rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install --disable-pip-version-check uvicorn==0.54.0 h11==0.16.0
cd "$work"
cat > app.py <<'PYTHON'
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
PYTHON
cat > ask.py <<'PYTHON'
import socket
import statistics
import sys
import time

end = time.monotonic() + 60
while True:
    try:
        connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        break
    except OSError:
        if time.monotonic() > end:
            raise
        time.sleep(0.1)
times = []
for _ in range(60):
    began = time.perf_counter()
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while not answer.endswith(b"\r\n\r\nok"):
        answer += connection.recv(4096)
    times.append(time.perf_counter() - began)
print(round(statistics.median(times) * 1000))
PYTHON
for workers in 1 2; do
    port=$("$work/venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$work/venv/bin/python" -m uvicorn app:app --port "$port" --workers "$workers" --loop asyncio --lifespan off \
        --log-level error &
    server=$!
    milliseconds=$("$work/venv/bin/python" ask.py "$port")
    kill "$server"
    wait "$server" || :
    server=
    echo "uvicorn 0.54.0, $workers worker(s): a request takes $milliseconds ms"
    case $workers in
        1) [ "$milliseconds" -lt 20 ] ;;
        2) [ "$milliseconds" -ge 35 ] ;;
    esac || { echo "that is otherwise now" >&2; exit 1; }
done
