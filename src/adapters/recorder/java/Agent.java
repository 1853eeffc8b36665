package testmedic;

import java.lang.instrument.Instrumentation;

/** What an agent needs to be one: its class path is all that is wanted of it. */
public final class Agent {
    private Agent() {}

    /** Does nothing: whatever failed here would end the JVM. */
    public static void premain(String options, Instrumentation instrumentation) {}
}
