import java.io.IOException;
import java.util.Map;

/**
 * Works as a map application in front of Spectrum does: signs in with ttl 0 over
 * HttpURLConnection with the JDK's own Accept, reads three strings, uses token and session together,
 * logs out by GET, and at a forced sign-in ends the old token first.
 *
 * Arguments: base URL, user, password, URL of a protected resource. Each thing
 * seen is a line "name value" on standard output.
 */
public final class RestClient {
    private final String base;
    private final String user;
    private final String password;
    private final String resource;
    private String token;
    private String session;
    private String username;

    private RestClient(String[] args) {
        base = args[0];
        user = args[1];
        password = args[2];
        resource = args[3];
    }

    private int signIn() throws IOException {
        Exchange answer = new Exchange(base + "/security/rest/token/access/session/" + 0, null,
                "Authorization", Exchange.basic(user, password));
        if (answer.status == 200) {
            Map<String, Object> members = FlatJson.parse(answer.body);
            token = FlatJson.string(members, "access_token");
            session = FlatJson.string(members, "session");
            username = FlatJson.string(members, "username");
            say("members", String.join(",", members.keySet()));
            say("content-type", answer.connection.getContentType());
        }
        return answer.status;
    }

    private int use(String path, String someToken, String someSession) throws IOException {
        return new Exchange(path, null, "Authorization", "Bearer " + someToken,
                "Cookie", "SESSION=" + someSession).status;
    }

    private int logOut() throws IOException {
        return use(base + "/security/rest/token/logout", token, session);
    }

    private static void say(String name, Object value) {
        System.out.println(name + " " + value);
    }

    public static void main(String[] args) throws IOException {
        RestClient client = new RestClient(args);
        say("sign-in", client.signIn());
        if (client.token == null) {
            return;
        }
        say("username", client.username);
        say("session", client.session);
        say("token", client.token);
        say("used", client.use(client.resource, client.token, client.session));
        say("used-again", client.use(client.resource, client.token, client.session));
        say("without-session",
                new Exchange(client.resource, null, "Authorization", "Bearer " + client.token).status);
        String oldToken = client.token;
        String oldSession = client.session;
        say("log-out-before-forced-sign-in", client.logOut());
        say("forced-sign-in", client.signIn());
        say("token-2", client.token);
        say("is-new", !client.token.equals(oldToken) && !client.session.equals(oldSession));
        say("old-pair", client.use(client.resource, oldToken, oldSession));
        say("mixed-pair", client.use(client.resource, client.token, oldSession));
        say("new-pair", client.use(client.resource, client.token, client.session));
        say("log-out", client.logOut());
        say("used-after-log-out", client.use(client.resource, client.token, client.session));
        say("log-out-again", client.logOut());
    }
}
