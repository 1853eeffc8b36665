//! Failed tests of other runners than pytest are run again, each with a reason: real
//! Jest, real Maven.

use crate::support::{Ran, Workplace};

fn run(place: &Workplace, options: &[&str], command: &[&str]) -> Ran {
    let home = std::env::var("HOME").unwrap();
    let words = [&["run", "--history", "none"], options, &["--"], command].concat();
    place.run_with(&words, &[("HOME", &home), ("JEST_JUNIT_OUTPUT_FILE", "junit.xml")])
}

/// A service that refuses its first request, and a test that another one leaves broken.
const JEST: &str = r#"
const express = require("express");
const request = require("supertest");
const app = express();
let asked = 0;
app.get("/busy", (req, res) => {
  const fs = require("fs");
  const first = !fs.existsSync("asked");
  fs.writeFileSync("asked", "");
  if (first) return res.status(429).set("Retry-After", "1").json({});
  res.json({});
});
let state = 0;
describe("things", () => {
  test("asks (a lot)", async () => { await request(app).get("/busy").expect(200); });
  test("leaves", () => { state = 1; });
  test("is innocent", () => {});
  test("finds", () => { expect(state).toBe(0); });
});
"#;

#[test]
fn jest() {
    let place = Workplace::new();
    let modules = crate::healing::prepared().join("node/node_modules");
    std::os::unix::fs::symlink(modules, place.path().join("node_modules")).unwrap();
    place.write("package.json", "{}");
    place.write("tests/things.test.js", JEST);
    let command = ["node_modules/.bin/jest", "--ci", "--reporters=jest-junit"];
    let ran = run(&place, &["--junit", "junit.xml"], &command);
    for part in [
        "retry 1: 1 test again in 1.0 s: GET /busy asks to wait 1 s (`Retry-After: 1`)",
        "then 1 of 1 test passed",
        "things::finds: it passes alone and fails behind `tests/things.test.js::things::leaves`",
        "4 tests: 3 passed (1 flaky), 1 failed",
    ] {
        assert!(ran.out.contains(part), "{part}: {}{}", ran.out, ran.err);
    }
    assert_eq!(ran.code, 1, "what fails by its order failed");
    // The report that others read is that of the whole run.
    assert_eq!(place.read("junit.xml").matches("<testcase").count(), 4);
}

#[test]
fn maven() {
    let place = Workplace::new();
    let text = std::fs::read_to_string(format!("{}/tests/generating/restassured.toml", env!("CARGO_MANIFEST_DIR")));
    let world: toml::Table = toml::from_str(&text.unwrap()).unwrap();
    place.write("pom.xml", world["files"]["pom.xml"].as_str().unwrap());
    place.write(
        "src/test/java/org/example/LimitTest.java",
        r#"
package org.example;

import static io.restassured.RestAssured.given;

import com.sun.net.httpserver.HttpServer;
import io.restassured.RestAssured;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

class LimitTest {
    @Nested
    class Busy {
        @Test
        void asks() throws Exception {
            HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
            server.createContext("/", exchange -> {
                boolean isFirst = Path.of("asked").toFile().createNewFile();
                exchange.getResponseHeaders().set("Retry-After", "1");
                exchange.sendResponseHeaders(isFirst ? 429 : 200, -1);
                exchange.close();
            });
            server.start();
            RestAssured.port = server.getAddress().getPort();
            given().get("/busy").then().statusCode(200);
        }
    }

    @Test
    void rests() {}
}
"#,
    );
    let ran = run(&place, &[], &["mvn", "-B", "-q", "test"]);
    for part in [
        "retry 1: 1 test again in 1.0 s: GET /busy asks to wait 1 s (`Retry-After: 1`)",
        "then 1 of 1 test passed",
        "2 tests: 2 passed (1 flaky)",
    ] {
        assert!(ran.out.contains(part), "{part}: {}{}", ran.out, ran.err);
    }
    assert_eq!(ran.code, 0, "all that failed passed after a wait that is told");
}

/// A request that the API description does not take any more is told by what it lacks.
#[test]
fn what_a_request_lacks() {
    let place = Workplace::new();
    place.write(
        "openapi.yaml",
        "openapi: 3.1.0\npaths:\n  /orders:\n    post:\n      requestBody:\n        content:\n          application/json:\n            schema: {type: object, required: [currency, item], properties: {currency: {type: string, example: EUR}, item: {type: string}}}\n      responses: {\"201\": {description: made}}\n",
    );
    place.write(
        "test_orders.py",
        "import flask\n\napp = flask.Flask(__name__)\n\n\n@app.post('/orders')\ndef add():\n    return {}, 201 if 'currency' in flask.request.json else 422\n\n\ndef test_old():\n    assert app.test_client().post('/orders', json={'item': 'pen'}).status_code == 201\n\n\ndef test_refused():\n    assert app.test_client().post('/orders', json={'item': 'pen'}).status_code == 400\n",
    );
    place.git(&["init", "-q", "-b", "main", "."]);
    place.commit("An API");
    let path = format!("{}:{}", crate::healing::prepared().join("venv/bin").display(), std::env::var("PATH").unwrap());
    let words = ["run", "--history", "none", "--json", "report.json", "--", "python", "-m", "pytest", "-q"];
    let ran = place.run_with(&words, &[("PATH", &path)]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let told = "POST /orders answered 422; its body has no `currency`, which the API description requires";
    let report: serde_json::Value = serde_json::from_str(&place.read("report.json")).unwrap();
    for diagnosis in report["diagnoses"].as_array().unwrap() {
        let is_told = diagnosis["evidence"].as_array().unwrap().iter().any(|e| e["text"] == told);
        assert_eq!(is_told, diagnosis["tests"][0]["name"] == "test_old", "{diagnosis:#}");
    }
    assert!(ran.out.contains(told), "{}", ran.out);
}
