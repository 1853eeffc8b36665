// Tells testmedic which requests the tests send, and what comes back.
//
// testmedic names this file in NODE_OPTIONS. It changes no file, asserts nothing, and
// whatever goes wrong in here is its own matter: the tests go on. What it sees goes to
// testmedic over a socket of this machine, which masks secrets before it keeps anything.
"use strict";

const LIMIT = 256 * 1024;

function install(where) {
  const http = require("node:http");
  const net = require("node:net");
  const path = require("node:path");
  const Module = require("node:module");
  const { performance } = require("node:perf_hooks");

  let test = null;
  let sent = 0;
  const listening = new Set();

  const quietly = (work) => {
    try {
      return work();
    } catch {
      return undefined;
    }
  };

  // ---- the link ----

  let link = null;
  let runs = false;
  function tell(line) {
    // npm, npx and servers are processes of Node too: only those that run tests tell.
    runs ||= line.began !== undefined || (line.test ?? null) !== null;
    if (!runs) return;
    quietly(() => {
      if (link === null) {
        const at = where.indexOf("/");
        const [word, address] = [where.slice(0, at), where.slice(at + 1)];
        const colon = address.lastIndexOf(":");
        link = address.startsWith("/")
          ? net.connect(address)
          : net.connect(Number(address.slice(colon + 1)), address.slice(0, colon));
        link.on("error", () => {});
        link.unref();
        link.write(word + "\n");
      }
      link.write(JSON.stringify(line) + "\n");
    });
  }

  const now = () => (performance.timeOrigin + performance.now()) / 1000;

  function began(name) {
    [test, sent] = [name, 0];
    if (name !== null) tell({ testmedic: 1, began: name });
  }

  /** The test that runs: what a runner told, else what Vitest's `expect` knows. */
  function present() {
    if (test !== null) return test;
    return quietly(() => {
      const state = globalThis[Symbol.for("expect-global")].getState();
      const file = path.relative(process.cwd(), state.testPath).split(path.sep).join("/");
      const name = [file, ...state.currentTestName.split(" > ")].join("::");
      if (name !== present.last) [present.last, sent] = [name, 0];
      return name;
    });
  }

  // ---- what is told of a message ----

  function content(message, chunks, encoding) {
    let body = Buffer.concat(chunks.map((c) => (Buffer.isBuffer(c) ? c : Buffer.from(c))));
    if (encoding && body.length > 0) body = quietly(() => inflated(body, encoding)) || body;
    if (body.length === 0) return message;
    message.size = body.length;
    const part = body.subarray(0, LIMIT);
    const text = part.toString("utf8");
    if (text.includes("\ufffd")) message.base64 = part.toString("base64");
    else message.body = text;
    return message;
  }

  function inflated(body, encoding) {
    const zlib = require("node:zlib");
    const bound = { maxOutputLength: 64 * LIMIT };
    if (encoding === "gzip" || encoding === "x-gzip") return zlib.gunzipSync(body, bound);
    if (encoding === "deflate") return zlib.inflateSync(body, bound);
    if (encoding === "br") return zlib.brotliDecompressSync(body, bound);
    return body;
  }

  const pairs = (headers) =>
    Object.entries(headers || {}).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).map((one) => [name, String(one)]),
    );

  /** Where a request goes; a server of this process is no host of the network. */
  function origin(protocol, host) {
    const port = Number((host.match(/:(\d+)$/) || [])[1] || 0);
    const here = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|\[::\])(:\d+)?$/.test(host);
    return here && listening.has(port) ? "http://localhost" : `${protocol}//${host}`;
  }

  // ---- mutants ----

  let wanted = null;
  function mutant(name, at) {
    if (!process.env.TESTMEDIC_MUTANTS || name == null) return null;
    wanted ??= quietly(() => JSON.parse(require("node:fs").readFileSync(process.env.TESTMEDIC_MUTANTS, "utf8"))) || {};
    const own = (wanted[name] || [])[Number(process.env.TESTMEDIC_MUTANT || 0)];
    return own && own.exchange === at ? own : null;
  }

  function swapped(value) {
    if (typeof value === "number") return String(value);
    return typeof value === "string" ? 7 : "mutant";
  }

  function changed(value) {
    if (typeof value === "boolean") return !value;
    if (typeof value === "number") return value + 1;
    if (typeof value === "string") return "mutant " + value;
    return Array.isArray(value) ? [] : {};
  }

  function altered(value, at, change) {
    if (at.length === 0) {
      return { null: null, type: swapped(value), value: changed(value), empty: [] }[change];
    }
    const [name, rest] = [at[0], at.slice(1)];
    if (Array.isArray(value) && name === "*") return value.map((item) => altered(item, rest, change));
    if (value !== null && typeof value === "object" && name in value) {
      const copy = { ...value };
      if (rest.length === 0 && change === "drop") delete copy[name];
      else copy[name] = altered(value[name], rest, change);
      return copy;
    }
    return value;
  }

  /** Status, headers and body as the mutant has them. */
  function mutated(own, status, headers, body) {
    const kept = { ...headers };
    if (own.change === "status") return [own.status, kept, body];
    if (own.change === "header") {
      for (const name of Object.keys(kept)) if (name.toLowerCase() === own.at.toLowerCase()) delete kept[name];
      return [status, kept, body];
    }
    const at = own.at.split("/").slice(1).map((p) => p.replace(/~1/g, "/").replace(/~0/g, "~"));
    const text = own.change === "fill" ? "mutant" : JSON.stringify(altered(JSON.parse(body.toString("utf8")), at, own.change));
    return [status, kept, Buffer.from(text)];
  }

  // ---- node:http, which supertest, superagent, axios and got send through ----

  const state = Symbol("testmedic");
  const { ClientRequest, IncomingMessage } = http;

  const proxies = (process.env.TESTMEDIC_PROXIES || "").split(" ").filter((address) => address !== "");

  function begin(request) {
    if (!request[state] && !request.headersSent && present() !== null && proxies.length > 0) {
      const address = `${request.protocol}//${request.getHeader("host")}`;
      if (proxies.includes(address)) request.setHeader("X-Testmedic-Test", encodeURIComponent(String(present())));
      // A redirect may lead elsewhere.
      else if (request.hasHeader("X-Testmedic-Test")) request.removeHeader("X-Testmedic-Test");
    }
    if (!request[state]) request[state] = { begun: now(), chunks: [], size: 0, test: present(), at: sent++ };
    return request[state];
  }

  function keep(own, chunk, encoding) {
    if (chunk == null || typeof chunk === "function" || own.size > LIMIT) return;
    const piece = typeof chunk === "string" ? Buffer.from(chunk, typeof encoding === "string" ? encoding : "utf8") : Buffer.from(chunk);
    own.chunks.push(piece);
    own.size += piece.length;
  }

  for (const name of ["write", "end"]) {
    const original = ClientRequest.prototype[name];
    ClientRequest.prototype[name] = function (chunk, encoding, ...rest) {
      quietly(() => keep(begin(this), chunk, encoding));
      return original.call(this, chunk, encoding, ...rest);
    };
  }

  function line(request, own) {
    const host = String(request.getHeader("host") || request.host || "");
    const message = {
      method: request.method,
      url: origin(request.protocol || "http:", host) + request.path,
      headers: pairs(request.getHeaders()),
    };
    const told = { testmedic: 1, test: own.test ?? null, at: own.begun, ms: (now() - own.begun) * 1000 };
    return { ...told, request: content(message, own.chunks) };
  }

  function answered(request, own, response, chunks) {
    const encoding = response.headers["content-encoding"];
    const message = { status: response.statusCode, headers: pairs(response.headers) };
    tell({ ...line(request, own), response: content(message, chunks, encoding) });
  }

  /** Copies what the parser pushes, before anybody reads it. */
  function tap(request, own, response) {
    const chunks = [];
    let size = 0;
    const push = response.push;
    response.push = function (chunk, encoding) {
      quietly(() => {
        if (chunk === null) answered(request, own, response, chunks);
        else if (size <= LIMIT) {
          chunks.push(typeof chunk === "string" ? Buffer.from(chunk, encoding) : Buffer.from(chunk));
          size += chunk.length;
        }
      });
      return push.call(this, chunk, encoding);
    };
  }

  /** Waits for the whole answer, and hands another one on in its place. */
  function replace(request, own, response, change, emit) {
    const chunks = [];
    response.on("data", (chunk) => chunks.push(chunk));
    response.on("end", () => {
      let [status, headers, body] = [response.statusCode, { ...response.headers }, Buffer.concat(chunks)];
      quietly(() => {
        if (headers["content-encoding"]) body = inflated(body, headers["content-encoding"]);
        delete headers["content-encoding"];
        [status, headers, body] = mutated(change, status, headers, body);
      });
      delete headers["content-length"];
      const other = new IncomingMessage(response.socket);
      Object.assign(other, { statusCode: status, statusMessage: http.STATUS_CODES[status], httpVersion: "1.1" });
      other.headers = headers;
      other.rawHeaders = pairs(headers).flat();
      Object.assign(other, { req: request, url: response.url, complete: true });
      other.push(body.length > 0 ? body : null);
      if (body.length > 0) other.push(null);
      emit.call(request, "response", other);
    });
  }

  const emit = ClientRequest.prototype.emit;
  ClientRequest.prototype.emit = function (event, ...rest) {
    const own = this[state];
    if (own && event === "response" && rest[0] && !own.done) {
      own.done = true;
      const change = quietly(() => mutant(own.test, own.at));
      if (change) {
        quietly(() => replace(this, own, rest[0], change, emit));
        return true;
      }
      quietly(() => tap(this, own, rest[0]));
    }
    if (own && event === "error" && !own.done) {
      own.done = true;
      quietly(() => tell({ ...line(this, own), error: String(rest[0] && rest[0].message).slice(0, 500) }));
    }
    return emit.call(this, event, ...rest);
  };

  const listen = net.Server.prototype.emit;
  net.Server.prototype.emit = function (event, ...rest) {
    if (event === "listening") quietly(() => listening.add(this.address().port));
    return listen.call(this, event, ...rest);
  };

  // ---- fetch ----

  const fetch = globalThis.fetch;

  /** What is known of a request without using it up: things that can be read only once
   *  are left to `fetch`. */
  function described(input, options) {
    const own = options || {};
    const given = input instanceof Request ? input : null;
    const url = new URL(given ? given.url : String(input));
    const headers = own.headers || (given ? given.headers : []);
    const isList = headers instanceof Headers || Array.isArray(headers);
    const body = own.body;
    let read = null;
    if (typeof body === "string" || body instanceof URLSearchParams) read = Buffer.from(String(body));
    else if (body instanceof ArrayBuffer) read = Buffer.from(body);
    else if (ArrayBuffer.isView(body)) read = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    else if (body == null && given && given.body && !given.bodyUsed) read = beginning(given.clone());
    return {
      message: {
        method: String(own.method || (given ? given.method : "GET")).toUpperCase(),
        url: origin(url.protocol, url.host) + url.pathname + url.search,
        headers: isList ? [...headers].map(([k, v]) => [k, String(v)]) : headers[Symbol.iterator] ? [] : pairs(headers),
      },
      body: read,
    };
  }

  /** The beginning of a body; what comes behind it is not waited for. */
  async function beginning(message) {
    const [reader, chunks] = [message.body ? message.body.getReader() : null, []];
    for (let size = 0; reader !== null && size <= LIMIT; ) {
      const { done, value } = await reader.read();
      if (done) return Buffer.concat(chunks);
      chunks.push(Buffer.from(value));
      size += value.length;
    }
    if (reader !== null) reader.cancel().catch(() => {});
    return Buffer.concat(chunks);
  }

  /** Another answer in the place of one. */
  function swap(response, change, body) {
    const [status, headers, other] = mutated(change, response.status, Object.fromEntries(response.headers), body);
    delete headers["content-length"];
    delete headers["content-encoding"];
    return new Response([101, 204, 205, 304].includes(status) ? null : other, { status, headers });
  }

  async function watched(input, ...rest) {
    const [begun, name, at] = [now(), present(), sent++];
    const asked = quietly(() => described(input, rest[0]));
    const told = async (more) => {
      if (!asked) return;
      const body = await asked.body;
      const base = { testmedic: 1, test: name ?? null, at: begun, ms: (now() - begun) * 1000 };
      tell({ ...base, request: content(asked.message, body ? [body] : []), ...more });
    };
    const answered = (response, body) =>
      told({ response: content({ status: response.status, headers: [...response.headers] }, body) });
    let response;
    try {
      response = await fetch.call(this, input, ...rest);
    } catch (error) {
      told({ error: String(error && (error.cause || error).message).slice(0, 500) }).catch(() => {});
      throw error;
    }
    const change = quietly(() => mutant(name, at));
    try {
      if (change) {
        const body = Buffer.from(await response.clone().arrayBuffer());
        await answered(response, [body]);
        return swap(response, change, body);
      }
      // What may stream without an end is the test's alone: whoever cancels one of two
      // copies waits for the other.
      const type = response.headers.get("content-type") || "";
      const ends = response.headers.has("content-length") || /\bjson\b|xml|html|text\/plain/.test(type);
      const body = ends && response.body ? beginning(response.clone()) : Promise.resolve(null);
      body.then((whole) => answered(response, whole ? [whole] : [])).catch(() => {});
    } catch {
      // The test gets what came.
    }
    return response;
  }

  if (typeof fetch === "function") globalThis.fetch = Object.defineProperty(watched, "name", { value: "fetch" });

  // ---- which test runs ----

  function jest(loaded) {
    const Original = loaded.TestEnvironment || loaded.default || loaded;
    const name = (context, node) => {
      const names = [];
      for (let at = node; at && at.name !== "ROOT_DESCRIBE_BLOCK"; at = at.parent) names.unshift(at.name);
      const file = path.relative(process.cwd(), context.testPath).split(path.sep).join("/");
      return [file, ...names].join("::");
    };
    class Environment extends Original {
      constructor(config, context) {
        super(config, context);
        this.testmedicContext = context;
      }
      async handleTestEvent(event, state) {
        quietly(() => {
          if (event.name === "test_start") began(name(this.testmedicContext, event.test));
          else if (event.name === "test_done") began(null);
        });
        if (super.handleTestEvent) await super.handleTestEvent(event, state);
      }
    }
    return Object.assign(Environment, { __esModule: true, default: Environment, TestEnvironment: Environment });
  }

  function mocha(Runner) {
    const original = Runner.prototype.emit;
    Runner.prototype.emit = function (event, subject, ...rest) {
      quietly(() => {
        if (event === "test") {
          const file = path.relative(process.cwd(), subject.file || "").split(path.sep).join("/");
          began([file, ...subject.titlePath()].join("::"));
        } else if (event === "test end") began(null);
      });
      return original.call(this, event, subject, ...rest);
    };
    return Runner;
  }

  const load = Module._load;
  const done = new Map();
  Module._load = function (request, parent, isMain) {
    const loaded = load.call(this, request, parent, isMain);
    return (
      quietly(() => {
        if (done.has(loaded)) return done.get(loaded);
        const whole = request.split(path.sep).join("/");
        let other = null;
        if (/(^|\/)jest-environment-(node|jsdom)(\/|$)/.test(whole) && typeof loaded !== "string") {
          if (loaded.TestEnvironment || loaded.default) other = jest(loaded);
        } else if (/(^|\/)runner(\.js)?$/.test(whole) && parent && /[\\/]mocha[\\/]lib[\\/]/.test(parent.filename || "")) {
          if (typeof loaded === "function" && loaded.prototype && loaded.prototype.runTests) other = mocha(loaded);
        }
        if (other !== null) {
          done.set(loaded, other);
          return other;
        }
        return undefined;
      }) || loaded
    );
  };
}

if (process.env.TESTMEDIC_RECORDER) {
  try {
    install(process.env.TESTMEDIC_RECORDER);
  } catch {
    // Unrecorded, and unharmed.
  }
}
