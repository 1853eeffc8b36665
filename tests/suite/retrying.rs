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
