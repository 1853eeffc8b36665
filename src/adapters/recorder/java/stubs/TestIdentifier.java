package org.junit.platform.launcher;

/** What JUnit names a test by, as far as it is asked. Only compiled against. */
public final class TestIdentifier {
    private TestIdentifier() {}

    public String getUniqueId() {
        throw new UnsupportedOperationException();
    }

    public boolean isTest() {
        throw new UnsupportedOperationException();
    }
}
