import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Works as the message handler of a SOAP web application does: it gets a token by
 * getAccessExpiringToken with ttl 5, keeps it, never knows a session and so sends SESSION=null with
 * it. A 401 from the token service means wrong credentials, a 401 from a resource that the
 * privileges were revoked.
 *
 * Arguments: base URL, user, password, URL of a protected resource. It waits for a line on standard
 * input between its two uses of the token. Each thing seen is a line "name value".
 */
public final class TokenHandler {
    private static final Pattern TOKEN = Pattern.compile("<token>([^<]*)</token>");

    private static String envelope(int minutes) {
        return "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" "
                + "xmlns:tok=\"http://token.security.common.server.platform.spectrum.pb.com/\">"
                + "<soapenv:Header/><soapenv:Body><tok:getAccessExpiringToken>"
                + "<tokenLifeInMinutes>" + minutes + "</tokenLifeInMinutes>"
                + "</tok:getAccessExpiringToken></soapenv:Body></soapenv:Envelope>";
    }

    private static void say(String name, Object value) {
        System.out.println(name + " " + value);
        System.out.flush();
    }

    private static void use(String name, String resource, String token) throws Exception {
        int status = new Exchange(resource, null, "Authorization", "Bearer " + token,
                "Cookie", "SESSION=null").status;
        say(name, status == 401 ? "privileges-revoked" : Integer.toString(status));
    }

    public static void main(String[] args) throws Exception {
        Exchange answer = new Exchange(args[0] + "/security/TokenManagerService", envelope(5),
                "Authorization", Exchange.basic(args[1], args[2]), "Content-Type", "text/xml");
        say("sign-in", answer.status == 401 ? "privileges-revoked" : answer.status);
        Matcher found = TOKEN.matcher(answer.body);
        if (!found.find()) {
            return;
        }
        say("token", found.group(1));
        use("used", args[3], found.group(1));
        new BufferedReader(new InputStreamReader(System.in)).readLine();
        use("used-later", args[3], found.group(1));
    }
}
