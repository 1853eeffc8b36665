package org.junit.platform.launcher;

/** What a listener of JUnit is told, as far as ours listens. Only compiled against. */
public interface TestExecutionListener {
    default void executionStarted(TestIdentifier identifier) {}
}
