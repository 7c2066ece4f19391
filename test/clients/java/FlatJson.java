import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Reads a flat JSON object as far as the clients here need it. Strings come back as String, whatever
 * else as its text in a StringBuilder, so that nobody takes a number for a string by accident.
 */
final class FlatJson {
    private final String text;
    private int at;

    private FlatJson(String text) {
        this.text = text;
    }

    static Map<String, Object> parse(String text) {
        FlatJson json = new FlatJson(text);
        Map<String, Object> members = new LinkedHashMap<>();
        json.expect('{');
        if (json.peek() != '}') {
            do {
                String name = json.string();
                json.expect(':');
                members.put(name, json.peek() == '"' ? json.string() : json.other());
            } while (json.accept(','));
        }
        json.expect('}');
        json.skip();
        if (json.at != text.length()) {
            throw new IllegalArgumentException("more than one value: " + text);
        }
        return members;
    }

    /** The member as a string; anything else is an error, as it is for getAsString() of an array. */
    static String string(Map<String, Object> members, String name) {
        Object value = members.get(name);
        if (!(value instanceof String)) {
            throw new IllegalArgumentException(name + " is no string: " + value);
        }
        return (String) value;
    }

    private void skip() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private char peek() {
        skip();
        return at < text.length() ? text.charAt(at) : '\0';
    }

    private boolean accept(char wanted) {
        if (peek() != wanted) {
            return false;
        }
        at++;
        return true;
    }

    private void expect(char wanted) {
        if (!accept(wanted)) {
            throw new IllegalArgumentException("no " + wanted + " at " + at + " of " + text);
        }
    }

    private StringBuilder other() {
        StringBuilder value = new StringBuilder();
        while (",}".indexOf(peek()) < 0) {
            value.append(text.charAt(at++));
        }
        return value;
    }

    private String string() {
        StringBuilder value = new StringBuilder();
        expect('"');
        while (text.charAt(at) != '"') {
            char next = text.charAt(at++);
            if (next == '\\') {
                next = text.charAt(at++);
                int known = "bfnrt".indexOf(next);
                if (next == 'u') {
                    next = (char) Integer.parseInt(text.substring(at, at + 4), 16);
                    at += 4;
                } else if (known >= 0) {
                    next = "\b\f\n\r\t".charAt(known);
                }
            }
            value.append(next);
        }
        at++;
        return value.toString();
    }
}
