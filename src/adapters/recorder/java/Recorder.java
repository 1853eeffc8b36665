package testmedic;

import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.Socket;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;

/**
 * Tells testmedic which test runs, and what REST Assured sends and gets.
 *
 * <p>testmedic compiles this file and puts it on the class path of a JVM as an agent. JUnit finds
 * it as a listener. It changes no class, and whatever goes wrong in here is its own matter: the
 * tests go on. REST Assured is asked by reflection, so that a suite without it needs nothing.
 */
public final class Recorder implements TestExecutionListener {
    private static final int LIMIT = 256 * 1024;
    private static final Pattern CLASS = Pattern.compile("\\[class:([^\\]]+)\\]");
    private static final Pattern NESTED = Pattern.compile("\\[nested-class:([^\\]]+)\\]");
    private static final Pattern METHOD = Pattern.compile("\\[(?:method|test-template|test-factory):([^(\\]]+)\\(");

    private static volatile String test;
    private static int sentSoFar;
    private static Object filter;
    private static Wire wire;
    private static Map<String, String[]> mutants;

    @Override
    public void executionStarted(TestIdentifier identifier) {
        try {
            watch();
            if (identifier.isTest()) {
                began(identifier.getUniqueId());
            }
        } catch (Throwable ignored) {
            // What is wrong with looking must not be wrong with the test.
        }
    }

    private static synchronized void began(String id) throws Exception {
        Matcher type = CLASS.matcher(id);
        Matcher method = METHOD.matcher(id);
        if (!type.find() || !method.find()) {
            test = null;
            return;
        }
        String name = type.group(1);
        String simple = name.substring(name.lastIndexOf('.') + 1);
        StringBuilder path = new StringBuilder(name.replace('.', '/') + ".java::" + simple);
        for (Matcher nested = NESTED.matcher(id); nested.find(); ) {
            path.append("::").append(nested.group(1));
        }
        test = path + "::" + method.group(1);
        sentSoFar = 0;
        send("{\"testmedic\":1,\"began\":" + Json.text(test) + "}");
    }

    /** Stands among REST Assured's filters, also after a suite has reset them. */
    @SuppressWarnings("unchecked")
    private static synchronized void watch() throws Exception {
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        Class<?> assured;
        try {
            assured = Class.forName("io.restassured.RestAssured", true, loader);
        } catch (ClassNotFoundException none) {
            return;
        }
        List<Object> filters = (List<Object>) assured.getMethod("filters").invoke(null);
        if (filter == null || !filters.contains(filter)) {
            Class<?> type = Class.forName("io.restassured.filter.Filter", true, loader);
            filter = Proxy.newProxyInstance(loader, new Class<?>[] {type}, Recorder::filtered);
            Method add = assured.getMethod("filters", List.class);
            add.invoke(null, java.util.Collections.singletonList(filter));
        }
    }

    private static Object filtered(Object self, Method method, Object[] arguments) throws Throwable {
        switch (method.getName()) {
            case "filter":
                return exchanged(arguments[0], arguments[1], arguments[2]);
            case "equals":
                return self == arguments[0];
            case "hashCode":
                return System.identityHashCode(self);
            default:
                return "testmedic";
        }
    }

    private static Object exchanged(Object request, Object expected, Object context) throws Throwable {
        long begun = System.currentTimeMillis();
        long clock = System.nanoTime();
        String now = test;
        Object response;
        try {
            response = next(context, request, expected);
        } catch (InvocationTargetException thrown) {
            tell(now, begun, clock, request, null, thrown.getCause());
            throw thrown.getCause();
        }
        int index = tell(now, begun, clock, request, response, null);
        try {
            return mutated(now, index, response);
        } catch (Throwable ignored) {
            return response;
        }
    }

    private static Object next(Object context, Object request, Object expected) throws Exception {
        for (Method method : Reflect.type("io.restassured.filter.FilterContext").getMethods()) {
            if (method.getName().equals("next")) {
                return method.invoke(context, request, expected);
            }
        }
        throw new NoSuchMethodException("next");
    }

    /** Gives the number of the exchange within its test, from 0. */
    private static synchronized int tell(
            String now, long begun, long clock, Object request, Object response, Throwable error) {
        int index = sentSoFar++;
        try {
            double millis = (System.nanoTime() - clock) / 1e6;
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("testmedic", 1);
            line.put("test", now);
            line.put("at", begun / 1000.0);
            line.put("ms", millis);
            line.put("request", asked(request));
            if (response != null) {
                line.put("response", answered(response));
            }
            if (error != null) {
                line.put("error", error.getClass().getSimpleName() + ": " + error.getMessage());
            }
            send(Json.write(line));
        } catch (Throwable ignored) {
            // See above.
        }
        return index;
    }

    private static Map<String, Object> asked(Object request) throws Exception {
        Class<?> type = Reflect.type("io.restassured.specification.FilterableRequestSpecification");
        Map<String, Object> out = new LinkedHashMap<>();
        out.put("method", String.valueOf(Reflect.call(type, request, "getMethod")));
        out.put("url", String.valueOf(Reflect.call(type, request, "getURI")));
        out.put("headers", headers(Reflect.call(type, request, "getHeaders")));
        Object body = Reflect.call(type, request, "getBody");
        Map<?, ?> form = (Map<?, ?>) Reflect.call(type, request, "getFormParams");
        if (body instanceof byte[]) {
            content(out, (byte[]) body);
        } else if (body != null) {
            content(out, body.toString().getBytes(StandardCharsets.UTF_8));
        } else if (form != null && !form.isEmpty()) {
            StringBuilder text = new StringBuilder();
            for (Map.Entry<?, ?> entry : form.entrySet()) {
                text.append(text.length() == 0 ? "" : "&").append(entry.getKey()).append('=').append(entry.getValue());
            }
            content(out, text.toString().getBytes(StandardCharsets.UTF_8));
        }
        return out;
    }

    private static Map<String, Object> answered(Object response) throws Exception {
        Class<?> type = Reflect.type("io.restassured.response.Response");
        Map<String, Object> out = new LinkedHashMap<>();
        out.put("status", Reflect.call(type, response, "getStatusCode"));
        out.put("headers", headers(Reflect.call(type, response, "getHeaders")));
        content(out, (byte[]) Reflect.call(type, response, "asByteArray"));
        return out;
    }

    private static List<Object> headers(Object headers) throws Exception {
        List<Object> out = new ArrayList<>();
        for (Object header : (Iterable<?>) headers) {
            Class<?> type = Reflect.type("io.restassured.http.Header");
            List<Object> pair = new ArrayList<>();
            pair.add(String.valueOf(Reflect.call(type, header, "getName")));
            pair.add(String.valueOf(Reflect.call(type, header, "getValue")));
            out.add(pair);
        }
        return out;
    }

    private static void content(Map<String, Object> message, byte[] body) {
        if (body == null || body.length == 0) {
            return;
        }
        message.put("size", body.length);
        byte[] part = body.length > LIMIT ? java.util.Arrays.copyOf(body, LIMIT) : body;
        try {
            message.put("body", StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(part)).toString());
        } catch (CharacterCodingException binary) {
            message.put("base64", Base64.getEncoder().encodeToString(part));
        }
    }

    /** The answer as the mutant of its test has it, where there is one. */
    private static Object mutated(String now, int index, Object response) throws Exception {
        String[] mutant = mutants().get(now);
        if (mutant == null || Integer.parseInt(mutant[1]) != index) {
            return response;
        }
        Class<?> builder = Reflect.type("io.restassured.builder.ResponseBuilder");
        Class<?> answer = Reflect.type("io.restassured.response.Response");
        Object made = builder.getConstructor().newInstance();
        builder.getMethod("clone", answer).invoke(made, response);
        String change = mutant[2];
        if (change.equals("status")) {
            builder.getMethod("setStatusCode", int.class).invoke(made, Integer.parseInt(mutant[4]));
        } else if (change.equals("header")) {
            Class<?> header = Reflect.type("io.restassured.http.Header");
            Class<?> headers = Reflect.type("io.restassured.http.Headers");
            List<Object> left = new ArrayList<>();
            for (Object one : (Iterable<?>) Reflect.call(answer, response, "getHeaders")) {
                if (!mutant[3].equalsIgnoreCase((String) Reflect.call(header, one, "getName"))) {
                    left.add(one);
                }
            }
            builder.getMethod("setHeaders", headers).invoke(made, headers.getConstructor(List.class).newInstance(left));
            if (mutant[3].equalsIgnoreCase("content-type")) {
                builder.getMethod("setContentType", String.class).invoke(made, "");
            }
        } else if (change.equals("fill")) {
            builder.getMethod("setBody", String.class).invoke(made, "mutant");
        } else {
            String text = (String) Reflect.call(answer, response, "asString");
            String other = Json.write(Mutate.apply(Json.read(text), mutant[3], change));
            builder.getMethod("setBody", String.class).invoke(made, other);
        }
        return builder.getMethod("build").invoke(made);
    }

    /** By test: its name, the exchange, the change, the place, the status. */
    private static synchronized Map<String, String[]> mutants() throws Exception {
        if (mutants == null) {
            Map<String, String[]> read = new LinkedHashMap<>();
            String path = System.getenv("TESTMEDIC_MUTANT_LINES");
            if (path != null) {
                for (String line : Files.readAllLines(Paths.get(path), StandardCharsets.UTF_8)) {
                    String[] parts = line.split("\t", -1);
                    read.put(parts[0], parts);
                }
            }
            mutants = read;
        }
        return mutants;
    }

    private static synchronized void send(String line) throws Exception {
        if (wire == null) {
            wire = Wire.open(System.getenv("TESTMEDIC_RECORDER"));
        }
        wire.write((line + "\n").getBytes(StandardCharsets.UTF_8));
    }

    /** The connection: `WORD/HOST:PORT`, or `WORD/` and the path of a socket. */
    private interface Wire {
        void write(byte[] bytes) throws Exception;

        static Wire open(String told) throws Exception {
            int cut = told.indexOf('/');
            String address = told.substring(cut + 1);
            Wire wire;
            if (address.startsWith("/")) {
                // Java has such sockets since 16.
                Class<?> type = Class.forName("java.net.UnixDomainSocketAddress");
                Object place = type.getMethod("of", String.class).invoke(null, address);
                SocketChannel channel = SocketChannel.open((SocketAddress) place);
                wire = bytes -> {
                    ByteBuffer buffer = ByteBuffer.wrap(bytes);
                    while (buffer.hasRemaining()) {
                        channel.write(buffer);
                    }
                };
            } else {
                int colon = address.lastIndexOf(':');
                Socket socket = new Socket(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
                OutputStream out = socket.getOutputStream();
                wire = out::write;
            }
            wire.write((told.substring(0, cut) + "\n").getBytes(StandardCharsets.UTF_8));
            return wire;
        }
    }

    /** Calls of public methods by name, on the type that declares them. */
    private static final class Reflect {
        static Class<?> type(String name) throws ClassNotFoundException {
            return Class.forName(name, true, Thread.currentThread().getContextClassLoader());
        }

        static Object call(Class<?> type, Object on, String name) throws Exception {
            return type.getMethod(name).invoke(on);
        }
    }

    /** What a service could answer wrongly. */
    private static final class Mutate {
        static Object apply(Object value, String pointer, String change) {
            List<String> path = new ArrayList<>();
            String[] parts = pointer.split("/", -1);
            for (int at = 1; at < parts.length; at++) {
                path.add(parts[at].replace("~1", "/").replace("~0", "~"));
            }
            return altered(value, path, change);
        }

        private static Object altered(Object value, List<String> path, String change) {
            if (path.isEmpty()) {
                return replaced(value, change);
            }
            String name = path.get(0);
            List<String> rest = path.subList(1, path.size());
            if (value instanceof List && name.equals("*")) {
                List<Object> out = new ArrayList<>();
                for (Object item : (List<?>) value) {
                    out.add(altered(item, rest, change));
                }
                return out;
            }
            if (value instanceof Map && ((Map<?, ?>) value).containsKey(name)) {
                Map<Object, Object> out = new LinkedHashMap<>((Map<?, ?>) value);
                if (rest.isEmpty() && change.equals("drop")) {
                    out.remove(name);
                } else {
                    out.put(name, altered(out.get(name), rest, change));
                }
                return out;
            }
            return value;
        }

        private static Object replaced(Object value, String change) {
            switch (change) {
                case "type":
                    if (value instanceof Number) {
                        return value.toString();
                    }
                    return value instanceof String ? (Object) 7 : "mutant";
                case "value":
                    if (value instanceof Boolean) {
                        return !(Boolean) value;
                    }
                    if (value instanceof Number) {
                        return ((Number) value).doubleValue() + 1;
                    }
                    if (value instanceof String) {
                        return "mutant " + value;
                    }
                    return value instanceof List ? new ArrayList<>() : (Object) new LinkedHashMap<>();
                case "empty":
                    return new ArrayList<>();
                default:
                    return null;
            }
        }
    }

    /** JSON, as far as it is needed here. */
    private static final class Json {
        private final String text;
        private int at;

        private Json(String text) {
            this.text = text;
        }

        static Object read(String text) {
            return new Json(text).value();
        }

        private Object value() {
            blank();
            char first = text.charAt(at);
            if (first == '{') {
                return object();
            }
            if (first == '[') {
                return list();
            }
            if (first == '"') {
                return string();
            }
            int end = at;
            while (end < text.length() && ",]} \t\r\n".indexOf(text.charAt(end)) < 0) {
                end++;
            }
            String word = text.substring(at, end);
            at = end;
            switch (word) {
                case "null":
                    return null;
                case "true":
                    return true;
                case "false":
                    return false;
                default:
                    return new java.math.BigDecimal(word);
            }
        }

        private Object object() {
            Map<String, Object> out = new LinkedHashMap<>();
            at++;
            for (blank(); text.charAt(at) != '}'; blank()) {
                String name = string();
                blank();
                at++;
                out.put(name, value());
                blank();
                at += text.charAt(at) == ',' ? 1 : 0;
            }
            at++;
            return out;
        }

        private Object list() {
            List<Object> out = new ArrayList<>();
            at++;
            for (blank(); text.charAt(at) != ']'; blank()) {
                out.add(value());
                blank();
                at += text.charAt(at) == ',' ? 1 : 0;
            }
            at++;
            return out;
        }

        private String string() {
            StringBuilder out = new StringBuilder();
            for (at++; text.charAt(at) != '"'; at++) {
                char next = text.charAt(at);
                if (next != '\\') {
                    out.append(next);
                    continue;
                }
                at++;
                char escaped = text.charAt(at);
                int known = "nrtbf".indexOf(escaped);
                if (escaped == 'u') {
                    out.append((char) Integer.parseInt(text.substring(at + 1, at + 5), 16));
                    at += 4;
                } else {
                    out.append(known < 0 ? escaped : "\n\r\t\b\f".charAt(known));
                }
            }
            at++;
            return out.toString();
        }

        private void blank() {
            while (" \t\r\n".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
        }

        static String write(Object value) {
            StringBuilder out = new StringBuilder();
            write(value, out);
            return out.toString();
        }

        private static void write(Object value, StringBuilder out) {
            if (value instanceof Map) {
                String between = "{";
                for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                    out.append(between).append(text(entry.getKey().toString())).append(':');
                    write(entry.getValue(), out);
                    between = ",";
                }
                out.append(between.equals("{") ? "{}" : "}");
            } else if (value instanceof List) {
                String between = "[";
                for (Object item : (List<?>) value) {
                    out.append(between);
                    write(item, out);
                    between = ",";
                }
                out.append(between.equals("[") ? "[]" : "]");
            } else if (value == null || value instanceof Number || value instanceof Boolean) {
                out.append(value);
            } else {
                out.append(text(value.toString()));
            }
        }

        static String text(String text) {
            StringBuilder out = new StringBuilder("\"");
            for (char c : text.toCharArray()) {
                if (c == '"' || c == '\\') {
                    out.append('\\').append(c);
                } else if (c < ' ' || c == '\u2028' || c == '\u2029' || Character.isSurrogate(c)) {
                    out.append(String.format("\\u%04x", (int) c));
                } else {
                    out.append(c);
                }
            }
            return out.append('"').toString();
        }
    }
}
