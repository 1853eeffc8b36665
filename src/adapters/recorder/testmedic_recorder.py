"""Tells testmedic which requests the tests send, and what comes back.

testmedic puts this file on the path of a pytest process and names it in
PYTEST_PLUGINS. It changes no file, asserts nothing, and whatever goes wrong in
here is its own matter: the tests go on. What it sees goes to testmedic over a
socket of this machine, which masks secrets before it keeps anything.

PYTEST_DONT_REWRITE: there is no assertion in here, and looking for some takes time.
"""

import base64
import copy
import functools
import importlib.abc
import importlib.util
import io
import json
import os
import socket
import sys
import threading
import time
import urllib.parse

import pytest

LIMIT = 256 * 1024
_dumps = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
# Tests freeze clocks, and replace what they like.
_now = time.time
_state = threading.local()
_test = None
_sent_so_far = 0
_lock = threading.Lock()
_links = []
# Answers that are not read to their end yet.
_unread = set()
# What is to be sent, and when something was sent last: to wake the other side up costs
# more than all else in here, so that exchanges that follow each other go together.
_outbox = []
_sent_last = 0.0
PATIENCE = 0.02
# Nobody tells us when a process that was forked ends.
_is_forked = False


def _forked():
    """A process that was forked has a connection of its own, and no lock that is held."""
    global _lock, _is_forked
    _lock, _is_forked = threading.Lock(), True
    for own in (_links, _unread, _outbox):
        own.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _link():
    """The connection of this process."""
    if not _links:
        # `WORD/HOST:PORT`, or `WORD/` and the path of a socket.
        word, _, address = os.environ["TESTMEDIC_RECORDER"].partition("/")
        if address.startswith("/"):
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            link.settimeout(5)
            link.connect(address)
        else:
            host, _, port = address.rpartition(":")
            link = socket.create_connection((host, int(port)), timeout=5)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sendall((word + "\n").encode())
        _links.append(link)
    return _links[0]


def _send(line, at_once=False):
    global _sent_last
    data = _dumps(line).encode() + b"\n"
    with _lock:
        _outbox.append(data)
        now = _now()
        if at_once or _is_forked or not 0 <= now - _sent_last < PATIENCE:
            _sent_last = now
            _flush()


def _flush():
    data = b"".join(_outbox)
    _outbox.clear()
    if data:
        _link().sendall(data)


def _quietly(function):
    """What is wrong with looking must not be wrong with the test."""

    @functools.wraps(function)
    def run(*args, **named):
        try:
            return function(*args, **named)
        except Exception:
            return None

    return run


def _content(message, body, whole=None):
    """`whole`: how many bytes there are, where not all of them were read."""
    if whole:
        message["size"] = whole
    if body is None or body == b"" or body == "":
        return
    if isinstance(body, str):
        body = body.encode("utf-8", "replace")
    if not isinstance(body, (bytes, bytearray)):
        return
    message["size"] = max(len(body), whole or 0)
    part = bytes(body[:LIMIT])
    try:
        message["body"] = part.decode("utf-8")
    except UnicodeDecodeError:
        message["base64"] = base64.b64encode(part).decode("ascii")


def _text(value):
    return value if isinstance(value, str) else value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _pairs(headers):
    if headers is None:
        return []
    # What was read before is a list of texts already.
    if type(headers) is list and all(type(n) is str is type(v) for n, v in headers):
        return headers
    items = headers.items() if hasattr(headers, "items") else headers
    return [(_text(name), _text(value)) for name, value in items]


_spelt = {}


def _spell(key):
    """A header as people write it; a run asks for few of them, often."""
    name = key[5:].replace("_", "-").title()
    if len(_spelt) < 1000:
        _spelt[key] = name
    return name


def _sent(environ):
    """The headers of a request that goes to an application of this process."""
    sent = [(_spelt.get(k) or _spell(k), v) for k, v in environ.items() if k[:5] == "HTTP_"]
    if environ.get("CONTENT_TYPE"):
        sent.append(("Content-Type", environ["CONTENT_TYPE"]))
    return sent


def _path(environ):
    query = environ.get("QUERY_STRING")
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "/")
    try:
        # WSGI hands bytes on as if they were Latin-1.
        path = path.encode("latin-1").decode("utf-8")
    except UnicodeError:
        pass
    return path + "?" + query if query else path


def _record(begun, method, url, headers, body, response=None, error=None, ended=None, test=None):
    """`response`: status, headers, body, and its size where it was not read to its end."""
    global _sent_so_far
    _sent_so_far += 1
    try:
        ended, test = ended or _now(), test or _test
        sent = {"method": str(method), "url": str(url), "headers": _pairs(headers)}
        _content(sent, body)
        line = {"testmedic": 1, "test": test, "at": begun, "ms": (ended - begun) * 1000, "request": sent}
        if response is not None:
            status, came, *content = response
            line["response"] = {"status": int(status), "headers": _pairs(came)}
            _content(line["response"], *content)
        if error is not None:
            line["error"] = "%s: %s" % (type(error).__name__, str(error)[:500])
        _send(line)
    except Exception:
        pass


def _mutants():
    """The mutant of each test, where testmedic asks what a test would notice."""
    path = os.environ.get("TESTMEDIC_MUTANTS")
    if not path:
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


_wanted = None
# Which of the mutants of the test is shown.
_round = None
_rounds = {}


@_quietly
def _mutant():
    """The mutant of the answer that was recorded last, if there is one."""
    global _wanted
    if _wanted is None:
        _wanted = _mutants()
    mutant = _wanted.get(_test, [])[_round] if _round is not None and _wanted else None
    return mutant if mutant and mutant["exchange"] == _sent_so_far - 1 else None


def _swapped(value):
    """A value of another type."""
    if isinstance(value, bool) or value is None:
        return "mutant"
    if isinstance(value, (int, float)):
        return str(value)
    return 7 if isinstance(value, str) else "mutant"


def _changed(value):
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str):
        return "mutant " + value
    return [] if isinstance(value, list) else {}


def _altered(value, path, change):
    """`value` with what stands at `path` (`*`: each element) dropped or replaced."""
    if not path:
        return {"null": None, "type": _swapped(value), "value": _changed(value), "empty": []}.get(change)
    name, rest = path[0], path[1:]
    if isinstance(value, list) and name == "*":
        return [_altered(item, rest, change) for item in value]
    if isinstance(value, dict) and name in value:
        value = dict(value)
        if not rest and change == "drop":
            del value[name]
        else:
            value[name] = _altered(value[name], rest, change)
    return value


def _mutated_body(mutant, content):
    """The bytes of a body as the mutant has them."""
    if mutant["change"] == "fill":
        return b"mutant"
    value = json.loads(content)
    path = [p.replace("~1", "/").replace("~0", "~") for p in mutant["at"].split("/")[1:]]
    return json.dumps(_altered(value, path, mutant["change"])).encode()


def _mutate_answer(response, body="_content"):
    """Changes an answer whose body stands in an attribute of this name."""
    _mutate(
        response.headers,
        lambda: response.content,
        lambda status: setattr(response, "status_code", status),
        lambda content: setattr(response, body, content),
    )


def _mutate(headers, content, set_status, set_body):
    """Changes an answer as its mutant says."""
    mutant = _mutant() if _round is not None else None
    if mutant is None:
        return
    change = mutant["change"]
    if change == "status":
        set_status(mutant["status"])
    elif change == "header":
        for name in [n for n in headers.keys() if n.lower() == mutant["at"].lower()]:
            del headers[name]
    else:
        set_body(_mutated_body(mutant, content()))


_proxies = tuple(address + "/" for address in os.environ.get("TESTMEDIC_PROXIES", "").split())


def _is_proxied(url):
    return bool(_proxies) and _test is not None and (str(url) + "/").startswith(_proxies)


@_quietly
def _announce(url, headers):
    """Names the test to a proxy of testmedic's, which takes the name out again."""
    if not _proxies:
        return
    # A redirect may lead elsewhere.
    headers.pop("X-Testmedic-Test", None)
    if _is_proxied(url):
        headers["X-Testmedic-Test"] = urllib.parse.quote(_test, safe="")


class _Later:
    """An answer whose body nobody has read yet: it is told when it has been."""

    def __init__(self, asked, status, headers, whole=None, chunked=False):
        self.asked, self.status, self.headers = asked, status, headers
        self.whole, self.chunked = whole, chunked
        self.pieces, self.size, self.came, self.test = [], 0, _now(), _test
        _unread.add(self)

    @_quietly
    def add(self, data):
        if data and self.size <= LIMIT:
            self.pieces.append(bytes(data))
            self.size += len(data)

    def rest(self):
        """Reads what the test did not; where that may never end, nothing."""

    @_quietly
    def end(self):
        if self in _unread:
            _unread.discard(self)
            content = b"".join(self.pieces)
            if self.chunked:
                content, self.whole = _joined(content)
            _record(*self.asked, (self.status, self.headers, content, self.whole), ended=self.came, test=self.test)


def _joined(data):
    """A body without the sizes between its chunks (RFC 9112, 7.1); a size beyond it
    where its end is not there."""
    pieces, rest = [], data
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        try:
            length = int(size.split(b";")[0], 16)
        except ValueError:
            break
        if length == 0:
            return b"".join(pieces), None
        pieces.append(rest[:length])
        rest = rest[length + 2 :]
    content = b"".join(pieces)
    return content, len(content) + 1


class _Tee:
    """A file of a connection, of which all that is read is seen."""

    def __init__(self, file, later):
        self._file, self._later = file, later

    def __getattr__(self, name):
        return getattr(self._file, name)

    def read(self, *size):
        return self._seen(self._file.read(*size))

    def read1(self, *size):
        return self._seen(self._file.read1(*size))

    def readline(self, *size):
        return self._seen(self._file.readline(*size))

    def readinto(self, place):
        count = self._file.readinto(place)
        self._seen(memoryview(place)[: count or 0])
        return count

    def _seen(self, data):
        self._later.add(data)
        return data

    def __iter__(self):
        return iter(self.readline, b"")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._later.end()
        return self._file.close()


class _Pieces:
    """The pieces of a body, which may be made while they are read; whoever closes it
    closes what makes them."""

    def __init__(self, pieces, later):
        self._pieces, self._iterator, self._later = pieces, None, later

    def __iter__(self):
        return self

    def __next__(self):
        if self._iterator is None:
            self._iterator = iter(self._pieces)
        try:
            piece = next(self._iterator)
        except BaseException:
            self._later.end()
            raise
        self._later.add(piece if isinstance(piece, bytes) else piece.encode())
        return piece

    def close(self):
        self._later.end()
        getattr(self._pieces, "close", int)()


def _outermost(name):
    """Whether no other client of ours is on the stack: requests sends through urllib3."""
    if getattr(_state, "busy", None):
        return False
    _state.busy = name
    return True


def _requests(module):
    original = module.Session.send

    @functools.wraps(original)
    def send(self, request, **options):
        begun, own = _now(), _outermost("requests")
        _announce(request.url, request.headers)
        try:
            response = original(self, request, **options)
        except Exception as error:
            _record(begun, request.method, request.url, request.headers, getattr(request, "body", None), error=error)
            raise
        finally:
            if own:
                _state.busy = None
        seen(begun, request, (list(response.history) or [response])[0], options)
        mutate(response)
        return response

    @_quietly
    def seen(begun, request, first, options):
        # Each redirect is sent by a call of its own.
        content = None if options.get("stream") else first.content
        _record(begun, request.method, request.url, request.headers, request.body, (first.status_code, first.headers, content))

    mutate = _quietly(_mutate_answer)

    module.Session.send = send


def _urllib3(module):
    original = module.HTTPConnectionPool.urlopen

    @functools.wraps(original)
    def urlopen(self, method, url, body=None, headers=None, *args, **options):
        if not _outermost("urllib3"):
            return original(self, method, url, body, headers, *args, **options)
        begun = _now()
        address = "%s://%s%s%s" % (self.scheme, self.host, ":%d" % self.port if self.port else "", url)
        try:
            response = original(self, method, url, body, headers, *args, **options)
        except Exception as error:
            _record(begun, method, address, headers, body, error=error)
            raise
        finally:
            _state.busy = None
        content = response.data if options.get("preload_content", True) else None
        _record(begun, method, address, headers or self.headers, body, (response.status, response.headers, content))
        mutate(response)
        return response

    @_quietly
    def mutate(response):
        _mutate(
            response.headers,
            lambda: response.data,
            lambda status: setattr(response, "status", status),
            lambda body: setattr(response, "_body", body),
        )

    module.HTTPConnectionPool.urlopen = urlopen


def _httpx(module):
    @_quietly
    def seen(begun, response, stream):
        for one in list(response.history) + [response]:
            body = getattr(one.request, "_content", None)
            content = getattr(one, "_content", None) if not stream else None
            _record(begun, one.request.method, one.request.url, one.request.headers, body, (one.status_code, one.headers, content))

    mutate = _quietly(_mutate_answer)

    original = module.Client.send
    asynchronous = module.AsyncClient.send

    @functools.wraps(original)
    def send(self, request, **options):
        begun = _now()
        _announce(request.url, request.headers)
        try:
            response = original(self, request, **options)
        except Exception as error:
            _record(begun, request.method, request.url, request.headers, getattr(request, "_content", None), error=error)
            raise
        seen(begun, response, options.get("stream"))
        mutate(response)
        return response

    @functools.wraps(asynchronous)
    async def send_async(self, request, **options):
        begun = _now()
        _announce(request.url, request.headers)
        try:
            response = await asynchronous(self, request, **options)
        except Exception as error:
            _record(begun, request.method, request.url, request.headers, getattr(request, "_content", None), error=error)
            raise
        seen(begun, response, options.get("stream"))
        mutate(response)
        return response

    def one_by_one(client):
        """Of a chain of redirects each request goes where it goes."""
        single = getattr(client, "_send_single_request", None)
        if single is None:
            return

        @functools.wraps(single)
        def announced(self, request, *args, **options):
            _announce(request.url, request.headers)
            return single(self, request, *args, **options)

        client._send_single_request = announced

    module.Client.send = send
    module.AsyncClient.send = send_async
    one_by_one(module.Client)
    one_by_one(module.AsyncClient)


def _standard(module):
    """The standard library's client, which urllib.request sends through."""
    ask, answer = module.HTTPConnection.request, module.HTTPConnection.getresponse

    @functools.wraps(ask)
    def request(self, method, url, body=None, headers={}, **options):
        if not getattr(_state, "busy", None):
            headers = begin(self, method, url, body, headers) or headers
        return ask(self, method, url, body, headers, **options)

    @_quietly
    def begin(connection, method, url, body, headers):
        scheme = "https" if isinstance(connection, getattr(module, "HTTPSConnection", ())) else "http"
        port = ":%s" % connection.port if connection.port else ""
        address = url if "://" in url else "%s://%s%s%s" % (scheme, connection.host, port, url)
        if _is_proxied(address):
            headers = copy.copy(headers)
            _announce(address, headers)
        connection._testmedic = (_now(), method, address, _pairs(headers), body)
        return headers

    @functools.wraps(answer)
    def getresponse(self):
        asked = self.__dict__.pop("_testmedic", None)
        try:
            response = answer(self)
        except Exception as error:
            if asked:
                _record(*asked, error=error)
            raise
        if asked:
            seen(asked, response)
        return response

    @_quietly
    def seen(asked, response):
        if _round is not None:
            return mutate(asked, response)
        later = _Later(asked, response.status, list(response.headers.items()), response.length, response.chunked)
        if response.fp is None:
            later.end()
        else:
            response.fp = _Tee(response.fp, later)

    def mutate(asked, response):
        content = response.read()
        keep(response, content)
        _record(*asked, (response.status, response.headers, content))
        _mutate(
            response.headers,
            lambda: content,
            lambda other: [setattr(response, "status", other), setattr(response, "code", other)],
            lambda other: keep(response, other),
        )

    def keep(response, content):
        """The body that was read stands there again."""
        response.fp, response.length, response.chunked = io.BytesIO(content), len(content), False

    module.HTTPConnection.request = request
    module.HTTPConnection.getresponse = getresponse


def _werkzeug(module):
    original = module.Client.open

    @_quietly
    def seen(begun, response):
        # Redirects that are followed are opened by calls of their own: of the outermost
        # one the first answer is not seen otherwise.
        one = (list(getattr(response, "history", ())) or [response])[0]
        environ = one.request.environ
        stream = environ.get("wsgi.input")
        closed = getattr(stream, "closed", False)
        body = stream.getvalue() if hasattr(stream, "getvalue") and not closed else None
        host = environ["wsgi.url_scheme"] + "://" + environ.get("HTTP_HOST", "localhost")
        asked = (begun, environ["REQUEST_METHOD"], host + _path(environ), _sent(environ), body)
        if _round is not None or one.is_sequence:
            return _record(*asked, (one.status_code, one.headers, one.get_data()))
        # What HEAD is answered with tells the length of a body that is not there.
        is_bare = environ["REQUEST_METHOD"] == "HEAD" or one.status_code in (204, 304)
        later = _Later(asked, one.status_code, list(one.headers), None if is_bare else one.content_length)
        one.response = _Pieces(one.response, later)
        if one.content_length is not None:
            # What has an end is read when the test has, where it did not look.
            later.rest = one.get_data

    @functools.wraps(original)
    def open_(self, *args, **options):
        begun = _now()
        response = original(self, *args, **options)
        # Inner calls follow redirects, the outer one has them all.
        seen(begun, response)
        mutate(response)
        return response

    @_quietly
    def mutate(response):
        _mutate(
            response.headers, response.get_data, lambda status: setattr(response, "status_code", status), response.set_data
        )

    module.Client.open = open_


def _django(module):
    original = module.Client.request

    @_quietly
    def seen(begun, request, response):
        stream = request.get("wsgi.input")
        inner = getattr(stream, "_FakePayload__content", None)
        content = None if response.streaming else response.content
        body = inner.getvalue() if inner is not None else None
        came = (response.status_code, response.headers, content)
        _record(begun, request.get("REQUEST_METHOD", "GET"), _path(request), _sent(request), body, came)

    mutate = _quietly(functools.partial(_mutate_answer, body="content"))

    @functools.wraps(original)
    def request_(self, **request):
        begun = _now()
        response = original(self, **request)
        seen(begun, request, response)
        mutate(response)
        return response

    module.Client.request = request_
    if hasattr(module, "AsyncClient"):
        asynchronous = module.AsyncClient.request

        @functools.wraps(asynchronous)
        async def request_async(self, **request):
            begun = _now()
            response = await asynchronous(self, **request)
            scope = {"REQUEST_METHOD": request.get("method", "GET"), "PATH_INFO": request.get("path", "/")}
            scope["QUERY_STRING"] = request.get("query_string", "")
            for name, value in request.get("headers", ()):
                scope["HTTP_" + name.decode("latin-1").upper().replace("-", "_")] = value.decode("latin-1")
            seen(begun, scope, response)
            mutate(response)
            return response

        module.AsyncClient.request = request_async


CLIENTS = {
    "http.client": _standard,
    "requests.sessions": _requests,
    "urllib3.connectionpool": _urllib3,
    "httpx": _httpx,
    "werkzeug.test": _werkzeug,
    "django.test.client": _django,
}
_done = set()


@_quietly
def _patch(name):
    if name not in _done and name in sys.modules:
        _done.add(name)
        CLIENTS[name](sys.modules[name])


class _Watch(importlib.abc.MetaPathFinder):
    """Looks after clients when they are imported, and imports none itself."""

    def find_spec(self, name, path, target=None):
        if name not in CLIENTS or name in _done or getattr(_state, "finding", False):
            return None
        _state.finding = True
        try:
            spec = importlib.util.find_spec(name)
        except Exception:
            return None
        finally:
            _state.finding = False
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            _patch(name)

        try:
            spec.loader.exec_module = exec_module
        except Exception:
            pass
        return spec


if "TESTMEDIC_RECORDER" in os.environ:
    sys.meta_path.insert(0, _Watch())
    for _name in CLIENTS:
        _patch(_name)


@_quietly
def _tell(**what):
    _send({"testmedic": 1, **what}, at_once=True)


def _free(path):
    """A place of our own: a command may run pytest more than once."""
    stem, number = path[: -len(".xml")], 1
    while True:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            return path
        except FileExistsError:
            number += 1
            path = "%s.%d.xml" % (stem, number)


@pytest.hookimpl(tryfirst=True)
@_quietly
def pytest_configure(config):
    """The report goes where testmedic looks for it, unless the command names a place."""
    own, wanted = os.environ.get("TESTMEDIC_REPORT"), getattr(config.option, "xmlpath", None)
    # A pytest that tests start is what they test.
    if os.environ.get("TESTMEDIC_WITHIN"):
        return
    os.environ["TESTMEDIC_WITHIN"] = "1"
    if own and not hasattr(config, "workerinput") and hasattr(config.option, "xmlpath"):
        if wanted is None or "TESTMEDIC_ORDER" in os.environ:
            config.option.xmlpath = _free(own)
        else:
            _tell(report=os.path.abspath(wanted))


def _another(item):
    """The same test once more: pytest would not tear down what stands twice in a row."""
    item = copy.copy(item)
    item._initrequest()
    return item


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Only the tests that testmedic wants to see again, in its order."""
    if "TESTMEDIC_MUTANTS" in os.environ:
        shown = _mutants()
        items[:] = [_another(item) for item in items for _ in shown.get(item.nodeid, ())]
        return
    if "TESTMEDIC_ORDER" not in os.environ:
        return
    with open(os.environ["TESTMEDIC_ORDER"], encoding="utf-8") as file:
        wanted = [line.rstrip("\n") for line in file]
    known = {item.nodeid: item for item in items}
    chosen, seen = [], set()
    for name in wanted:
        if name in known:
            chosen.append(_another(known[name]) if name in seen else known[name])
            seen.add(name)
    left = set(wanted)
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in left])
    items[:] = chosen


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item, nextitem):
    """What fixtures send when they end is no request of the test."""
    global _test
    for later in list(_unread):
        _quietly(later.rest)()
        later.end()
    _test = None


@_quietly
def pytest_runtest_logstart(nodeid, location):
    global _test, _sent_so_far, _round
    _test, _sent_so_far = nodeid, 0
    if "TESTMEDIC_MUTANTS" in os.environ:
        # A test stands there once for each of its mutants.
        _rounds[nodeid] = _round = _rounds.get(nodeid, -1) + 1
    _tell(began=_test)
    for name in CLIENTS:
        _patch(name)


@_quietly
def pytest_runtest_logreport(report):
    if _round is not None and report.failed:
        _tell(noticed=report.nodeid, mutant=_round)


def pytest_runtest_logfinish(nodeid, location):
    global _test
    _test = None


@pytest.hookimpl(trylast=True)
@_quietly
def pytest_sessionfinish(session, exitstatus):
    """What is still here goes out."""
    with _lock:
        _flush()
