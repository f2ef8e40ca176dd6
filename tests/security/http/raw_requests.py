"""Raw requests against the real serigraphd: every trap of QtHttpServer 6.4, the smuggling list, Host, Origin, lengths, clients that leave."""
import concurrent.futures
import os
import pathlib
import random
import resource
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from serigraphd import Server, read_all, run_cases, status_of  # noqa: E402

BODY = b'{"stable_diffusion_model":"alpha","prompt":"x","width":64,"height":64,"steps":2}'


def head(line="GET /healthz HTTP/1.1", *fields, host=True):
    lines = [line.encode()] + ([b"Host: 127.0.0.1:%d" % server.port] if host else [])
    return b"\r\n".join(lines + [f if isinstance(f, bytes) else f.encode() for f in fields]) + b"\r\n\r\n"


def post(*fields, body=BODY, path="/txt2img", length=True):
    lengths = [f"Content-Length: {len(body)}"] if length else []
    return head(f"POST {path} HTTP/1.1", "Content-Type: application/json", *lengths, *fields) + body


def expect(status, data, what=""):
    reply = server.raw(data)
    assert status_of(reply) == status, (what or data[:120], status, reply[:300])
    assert reply.count(b"HTTP/1.1 ") == 1, ("more than one answer", reply[:500])
    assert b"\r\nConnection: close\r\n" in reply, reply
    return reply


def tasks():
    return len(server.get("/tasks?limit=1000").json()["tasks"])


def alive():
    assert server.process.poll() is None, server.log[-2000:]
    assert server.get("/healthz").status == 200


def test_good_requests_pass():
    expect(200, head())
    expect(200, head("GET /healthz HTTP/1.0"))
    expect(200, head("GET /models HTTP/1.1", "X: " + "y" * 8000))
    reply = expect(200, post())
    assert b'"succeeded"' in reply
    # A head that comes byte by byte, and a body in pieces.
    with server.connect() as sock:
        for byte in post("Request-Type: async"):
            sock.sendall(bytes([byte]))
        assert status_of(read_all(sock)) == 200


def test_request_lines():
    for line in ("GARBAGE", "GET", "GET /healthz", "GET  /healthz HTTP/1.1", "GET /healthz  HTTP/1.1", "GET /healthz HTTP/9.9",
                 "GET /healthz HTTP/1.1x", "GET /healthz http/1.1", "GET /hea lthz HTTP/1.1", " GET /healthz HTTP/1.1", "G\x01T /healthz HTTP/1.1",
                 "GET healthz HTTP/1.1", "GET http://127.0.0.1/healthz HTTP/1.1", "CONNECT a:1 HTTP/1.1", "GET /%zz HTTP/1.1", "GET /a%0d%0ab HTTP/1.1",
                 "GET /%00 HTTP/1.1", "GET /%ff HTTP/1.1", "GET /#x HTTP/1.1", "GET /healthz?a=1&a=2 HTTP/1.1", "GET /healthz?%ff HTTP/1.1"):
        expect(400, head(line), line)
    expect(400, b"\r\n" + head())
    expect(400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")  # a TLS hello


def test_line_ends_and_fields():
    good = head()
    expect(400, good.replace(b"\r\n", b"\n"), "bare LF")
    expect(400, good.replace(b"\r\n\r\n", b"\rX: 1\r\n\r\n"), "bare CR")
    expect(400, good.replace(b"healthz", b"heal\0thz"), "NUL")
    for field in (b"no colon", b": no name", b"na me: x", b"Name : x", b"X: a\x07b", b"X: a\r\n folded", b"X: a\r\n\tfolded", b"(x): y", b"\xc3\xa4: y"):
        expect(400, head("GET /healthz HTTP/1.1", field), field)
    expect(200, head("GET /healthz HTTP/1.1", b"X-Name: \xc3\xa4"))


def test_sizes():
    expect(414, head("GET /" + "a" * 8200 + " HTTP/1.1"))
    expect(414, b"GET /" + b"a" * 9000)  # no end of line yet
    expect(431, head("GET /healthz HTTP/1.1", "X: " + "y" * 17000))
    expect(431, head("GET /healthz HTTP/1.1", *["X: y"] * 101))
    expect(413, post("Content-Length: 67108865", length=False, body=b""))
    expect(413, post("Content-Length: 99999999999999999999", length=False, body=b""))
    memory = resident()
    with server.connect() as sock:  # 64 MiB of a head that never ends
        try:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            for _ in range(1024):
                sock.sendall(b"X: " + b"y" * 65533)
        except OSError:
            pass
    assert resident() < memory + 32e6, (memory, resident())
    alive()


def resident():
    return int(pathlib.Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


def test_lengths_and_smuggling():
    before = tasks()
    inner = post()
    size = f"Content-Length: {len(BODY)}"
    for fields in (["Content-Length: abc"], ["Content-Length: -1"], ["Content-Length: +5"], ["Content-Length: 0x10"], ["Content-Length:"],
                   [f"Content-Length: {len(BODY)}, {len(BODY)}"], [size, size], [size, "Content-Length: 0"], ["Content-Length: 1 2"]):
        expect(400, post(*fields, length=False) + inner, fields)
    for coding in ("chunked", "xchunked", "gzip, chunked", "identity", "Chunked"):
        expect(411, post(f"Transfer-Encoding: {coding}") + inner, coding)
        expect(411, post(f"Transfer-Encoding: {coding}", length=False) + inner, coding)
    expect(400, post(size + "\r\n\tx", length=False))
    expect(411, post(length=False, body=b""))
    expect(415, post("Content-Encoding: gzip"))
    expect(400, post() + inner, "pipelined")
    expect(400, head() + head(), "pipelined")
    expect(400, post("Content-Length: 0", length=False) + inner, "an empty body, then a request")
    assert tasks() == before, "a request that was refused left a task"
    # The second request comes later, while the first waits for its picture.
    with server.connect() as sock:
        sock.sendall(post("taskId: the_first"))
        sock.sendall(post("taskId: the_second"))
        data = read_all(sock)
    assert data.count(b"HTTP/1.1 ") == 1 and b"the_second" not in data, data
    assert server.get("/tasks/the_second/result").status == 404


def test_hosts():
    port = server.port
    assert status_of(server.raw(head(host=False))) == 400
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}"):
        expect(200, head("GET /healthz HTTP/1.1", f"Host: {host}", host=False), host)
    for host in ("evil.example", f"evil.example:{port}", f"evil@127.0.0.1:{port}", f"127.0.0.1.evil:{port}", f"127.0.0.1:{port + 1}", "127.0.0.1",
                 f"evil host%%:{port}", f"127.0.0.1:{port}/x", "localhost", f"0.0.0.0:{port}"):
        for path in ("/healthz", "/models", "/files/images/a/b", "/sdapi/v1/options", "/nothing"):
            expect(403, head(f"GET {path} HTTP/1.1", f"Host: {host}", host=False), host)
    expect(400, head("GET /healthz HTTP/1.1", "Host: ", host=False))
    expect(400, head("GET /healthz HTTP/1.1", f"Host: 127.0.0.1:{port}"), "two Hosts")


def test_other_sites_change_nothing():
    before = tasks()
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{server.port}", "http://127.0.0.1", f"http://evil@127.0.0.1:{server.port}"):
        expect(403, post(f"Origin: {origin}"), origin)
        expect(403, head("POST /sdapi/v1/interrupt HTTP/1.1", "Content-Length: 0", f"Origin: {origin}"), origin)
    expect(403, post("Sec-Fetch-Site: cross-site"))
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json5", "text/json"):
        expect(415, head("POST /txt2img HTTP/1.1", f"Content-Type: {kind}", f"Content-Length: {len(BODY)}") + BODY, kind)
    expect(415, head("POST /txt2img HTTP/1.1", f"Content-Length: {len(BODY)}") + BODY, "no type")
    assert tasks() == before
    assert b"access-control" not in expect(200, head("GET /models HTTP/1.1", "Origin: http://evil.example")).lower()
    expect(200, post(f"Origin: http://127.0.0.1:{server.port}"))
    expect(200, post("Content-Type: application/json; charset=utf-8").replace(b"Content-Type: application/json\r\n", b"", 1))


def test_repeated_fields():
    for field in ("taskId: a", "username: a", "Request-Type: async", "Authorization: x"):
        expect(400, post(field, field), field)


def test_methods():
    reply = expect(200, head("HEAD /models HTTP/1.1"))
    length = int(reply.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert reply.endswith(b"\r\n\r\n") and length == len(server.get("/models").body), reply
    reply = expect(204, head("OPTIONS /txt2img HTTP/1.1"))
    assert b"Allow: OPTIONS, POST\r\n" in reply, reply
    expect(204, head("OPTIONS * HTTP/1.1"))
    for method in ("DELETE", "PUT", "TRACE", "BREW"):
        reply = expect(405, head(f"{method} /models HTTP/1.1"), method)
        assert b"Allow: GET, HEAD, OPTIONS, PATCH\r\n" in reply, reply
    expect(404, head("POST /nothing HTTP/1.1"))
    expect(400, head("GET /healthz HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade"))


def test_expectations():
    with server.connect() as sock:
        sock.sendall(head("POST /txt2img HTTP/1.1", "Content-Type: application/json", f"Content-Length: {len(BODY)}", "Expect: 100-continue"))
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(BODY)
        assert status_of(read_all(sock)) == 200
    expect(417, post("Expect: 200-maybe"))
    # Refused before the body: no 100 in front.
    expect(404, head("POST /nothing HTTP/1.1", "Content-Length: 1000", "Expect: 100-continue"))


def test_paths_do_not_leave_the_house():
    names = ["../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e%2fetc", "%252e%252e%252f", "..%5c..%5cx", "/abs", "C:%5Cx", "%2F%2Fhost%2Fx",
             "%E2%88%95etc", "CON", "x.", "a" * 300, "....//", ";ls", "$(id)", "%60id%60", "'%20OR%201=1--"]
    for name in names:
        for path in ("/tasks/{}/result", "/tasks/{}/progress", "/files/images/default/{}", "/files/images/{}/x.png", "/files/{}", "/{}"):
            reply = server.raw(head(f"GET {path.format(name)} HTTP/1.1"))
            assert status_of(reply) in (400, 403, 404), (path, name, reply[:200])
            assert b"root:" not in reply and str(server.data_dir).encode() not in reply, reply
    alive()


def test_answers_carry_no_foreign_lines():
    reply = expect(400, post("taskId: a%0d%0aSet-Cookie: x"))
    assert b"Set-Cookie" not in reply.split(b"\r\n\r\n")[0]


def leave_early(index):
    """One client that hangs up somewhere: before, inside or after its request, politely or with a reset."""
    generator = random.Random(index)
    data = post("Request-Type: async" if index % 3 else "Request-Type: sync")
    try:
        with server.connect() as sock:
            sock.sendall(data[:generator.randrange(len(data) + 1)] if index % 2 else data)
            time.sleep(generator.random() * 0.02)
            if index % 5 == 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif index % 5 == 1:
                sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_a_thousand_clients_hang_up():
    count = int(os.environ.get("SG_CLIENTS", "1000"))
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(leave_early, range(count)))
    alive()
    waiting = [task for task in server.get("/tasks?limit=1000").json()["tasks"] if task["status"] in ("waiting", "running")]
    for task in waiting:
        server.post(f"/tasks/{task['taskId']}/cancellation")
    server.wait(lambda: server.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0, "the queue to be empty", 300)
    expect(200, post())


def test_event_streams_that_hang_up():
    task = server.post("/txt2img", {"stable_diffusion_model": "alpha", "width": 64, "height": 64, "steps": 100, "n_iter": 5},
                       headers={"Request-Type": "async"}).json()["taskId"]
    for _ in range(100):
        with server.connect() as sock:
            sock.sendall(head(f"GET /tasks/{task}/events HTTP/1.1"))
            sock.recv(100)
    alive()
    server.post(f"/tasks/{task}/cancellation")


def test_too_many_connections():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    held = [server.connect() for _ in range(1000)]
    try:
        with server.connect() as sock:
            assert status_of(read_all(sock)) == 503
    finally:
        for sock in held:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    server.wait(lambda: status_of(server.raw(head())) == 200, "the connections to be gone")


if __name__ == "__main__":
    chosen = sys.argv[1:]
    with Server(step_ms=2, wrapper=os.environ.get("SG_WRAPPER", "").split()) as server:
        run_cases([value for name, value in list(globals().items()) if name.startswith("test_") and (not chosen or name in chosen)])
