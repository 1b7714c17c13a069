"""A web server over HTTPS for MTA-STS policies and TLS reports: one address for many names."""

import http.server
import threading

GOOD = ("text/plain; charset=utf-8", 200)


class PolicyHost:
    """answers: {host: (body, content type, code)}, or a function (handler) that answers by itself; contexts: {host: a
    context of pki.server_context} with default for all others. asked: (host, path) of each request; posted: (host, path,
    fields, body) of each POST."""

    def __init__(self, default, port=0):
        self.answers, self.contexts, self.asked, self.posted = {}, {}, [], []
        context = default
        context.sni_callback = self._choose
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                host.answer(self)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                host.posted.append((self.headers["Host"].partition(":")[0], self.path, self.headers, body))
                host.answer(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def get_request(self):
                connection, address = super().get_request()
                # The handshake is done by the thread of the connection.
                return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, *_):
                """Clients that leave are what is tested."""

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def _choose(self, connection, name, _context):
        if name in self.contexts:
            connection.context = self.contexts[name]

    def policy(self, domain, text, content_type=GOOD[0], code=GOOD[1]):
        self.answers[f"mta-sts.{domain}"] = (text, content_type, code)

    def answer(self, handler):
        name = handler.headers.get("Host", "").partition(":")[0]
        self.asked.append((name, handler.path))
        found = self.answers.get(name, ("", "text/plain", 404))
        if callable(found):
            found(handler)
            return
        text, content_type, code = found
        body = text.encode()
        handler.send_response(code)
        if content_type:
            handler.send_header("Content-Type", content_type)
        if code in (301, 302):
            handler.send_header("Location", f"https://{name}:{self.port}/elsewhere")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def times(self, domain):
        """How often the policy of DOMAIN was asked for."""
        return sum(name == f"mta-sts.{domain}" for name, _ in self.asked)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

