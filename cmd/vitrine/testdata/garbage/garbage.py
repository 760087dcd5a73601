"""A fisher that says garbage on every surface that it has, and plays on; in its last turn it says nothing else any more."""
import json
import os
import random
import socket
import sys
import threading

chance = random.Random(7)
out = sys.stdout.buffer


def noise(n):
    return bytes(chance.randrange(256) for _ in range(n))


def lines(number):
    """What is no answer, or none to the newest observation."""
    yield noise(100).replace(b"\n", b" ")
    yield b"[" * 50_000 + b"]" * 50_000
    yield b"x" * 10_000_000
    yield b'{"id":1e999999,"action":"fish"}'
    yield b'{"id":%d}' % number
    yield b'{"id":%d,"action":"","args":{}}' % number
    yield b'{"id":%d,"action":"fish","args":\xff\xfe}' % number
    yield b'{"id":%d,"action":"fish","args":{"tons":\x00}}' % number
    yield b'{"id":%d,"action":"fish","agent":"a","args":{"tons":99}}' % (number + 1)
    for other in range(100):
        yield b'{"id":%d,"action":"\\u001b[31m%s","args":{}}' % (number + 1 + other, b"y" * 1000)


def ask(said, reads=True):
    """Says something to the gateway, and reads an answer if it shall."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        try:
            s.connect("../api.sock")
            s.sendall(said)
            while reads and s.recv(1 << 16):
                pass
        except OSError:
            pass


def request(token, body, *header):
    head = ["POST /v1/messages HTTP/1.1", "Host: gateway", "Connection: close", "Authorization: Bearer " + token, *header]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def bother():
    mine = os.environ["ANTHROPIC_AUTH_TOKEN"]
    chunked = "Transfer-Encoding: chunked"
    chunks = (b"100000\r\n" + b" " * (1 << 20) + b"\r\n") * 34
    model = json.dumps({"model": "m", "max_tokens": 10, "stream": True, "messages": [{"role": "user", "content": "x"}]}).encode()
    for said in [
        noise(1000), b"\x16\x03\x01" + noise(50), b"GET / HTTP/9.9\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 1_000_000, request("another", b"{}", "Content-Length: 2"),
        request(mine, b"0\r\n\r\n", "Content-Length: 2", chunked), request(mine, b"zz\r\n", chunked),
        request(mine, chunks, chunked), request(mine, b" " * 30_000_000, "Content-Length: 30000000"), request(mine, b"[" * 1_000_000, "Content-Length: 1000000"),
        request(mine, noise(10_000), "Content-Length: 10000"), b"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    ]:
        ask(said)
    ask(request(mine, model, f"Content-Length: {len(model)}"), reads=False)
    callers = [threading.Thread(target=ask, args=(noise(50) + b"\r\n\r\n",)) for _ in range(100)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()


def main():
    playing = int(os.environ["PLAYING"])  # turns
    garbage = os.environ.get("GARBAGE") == "yes"
    for line in sys.stdin.buffer:
        question = json.loads(line)
        if "observation" not in question:
            continue
        number = question["id"]
        if garbage and number == playing:
            while True:
                out.write(b'{"id":0,"action":"never"}\n')
        if garbage:
            for said in lines(number):
                out.write(said + b"\n")
            out.flush()
            sys.stderr.buffer.write(noise(1000) * 3000)
            bother()
        out.write(b'{"id":%d,"action":"fish","args":{"tons":10}}\n' % number)
        out.flush()


main()
