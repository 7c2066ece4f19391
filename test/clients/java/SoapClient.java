import java.io.ByteArrayInputStream;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * Works as a small SOAP client of Spectrum does: loads both WSDLs without credentials and finds its
 * service in them by qualified name, signs in with ttl 5, looks the token up in the DOM without
 * namespaces, sends it as a cookie, and logs out by SOAP.
 *
 * Arguments: base URL, user, password, URL of a protected resource, namespace, operation. Each thing
 * seen is a line "name value" on standard output.
 */
public final class SoapClient {
    private static final String ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/";
    private static final String WSDL = "http://schemas.xmlsoap.org/wsdl/";

    private final String base;
    private final String authorization;
    private final String resource;
    private final String namespace;
    private final String operation;
    private String token;
    private String session;

    private SoapClient(String[] args) {
        base = args[0];
        authorization = Exchange.basic(args[1], args[2]);
        resource = args[3];
        namespace = args[4];
        operation = args[5];
    }

    private static Document parse(String xml, boolean isNamespaceAware) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(isNamespaceAware);
        return factory.newDocumentBuilder()
                .parse(new ByteArrayInputStream(xml.getBytes(StandardCharsets.UTF_8)));
    }

    /** Every "{namespace}service address" of a description and of what it imports. */
    private static void collect(String url, List<String> found) throws Exception {
        Exchange answer = new Exchange(url, null);
        Element root = parse(answer.body, true).getDocumentElement();
        NodeList services = root.getElementsByTagNameNS(WSDL, "service");
        for (int i = 0; i < services.getLength(); i++) {
            Element service = (Element) services.item(i);
            Element address = (Element) service
                    .getElementsByTagNameNS("http://schemas.xmlsoap.org/wsdl/soap/", "address")
                    .item(0);
            found.add("{" + root.getAttribute("targetNamespace") + "}"
                    + service.getAttribute("name") + " " + address.getAttribute("location"));
        }
        NodeList imports = root.getElementsByTagNameNS(WSDL, "import");
        for (int i = 0; i < imports.getLength(); i++) {
            collect(((Element) imports.item(i)).getAttribute("location"), found);
        }
    }

    /** The address of a service whose qualified name the client has written in its source. */
    private String locate(String path, String service) throws Exception {
        List<String> found = new ArrayList<>();
        String wanted = "{" + namespace + "}" + service + " ";
        collect(base + path + "?wsdl", found);
        say("described", found.size());
        for (String one : found) {
            if (one.startsWith(wanted)) {
                return one.substring(wanted.length());
            }
        }
        throw new IllegalStateException("no " + wanted + "in " + found);
    }

    private String envelope(String name, String minutes) throws Exception {
        Document document = DocumentBuilderFactory.newInstance().newDocumentBuilder().newDocument();
        Element root = document.createElementNS(ENVELOPE, "S:Envelope");
        root.appendChild(document.createElementNS(ENVELOPE, "S:Header"));
        Element body = document.createElementNS(ENVELOPE, "S:Body");
        Element call = document.createElementNS(namespace, "ns1:" + name);
        if (minutes != null) {
            Element life = document.createElement("tokenLifeInMinutes");
            life.setTextContent(minutes);
            call.appendChild(life);
        }
        document.appendChild(root);
        root.appendChild(body);
        body.appendChild(call);
        StringWriter out = new StringWriter();
        TransformerFactory.newInstance().newTransformer()
                .transform(new DOMSource(document), new StreamResult(out));
        return out.toString();
    }

    private static String content(Document document, String name) {
        NodeList found = document.getElementsByTagName(name);
        return found.getLength() == 1 ? found.item(0).getTextContent() : null;
    }

    private Exchange post(String address, String body, String... credentials) throws Exception {
        String[] headers = new String[credentials.length + 4];
        headers[0] = "Content-Type";
        headers[1] = "text/xml; charset=utf-8";
        headers[2] = "SOAPAction";
        headers[3] = "\"\"";
        System.arraycopy(credentials, 0, headers, 4, credentials.length);
        return new Exchange(address, body, headers);
    }

    /** Token and session as a list of two Cookie values, which makes two lines. */
    private String[] cookies() {
        return session == null
                ? new String[] {"Cookie", "spectrum.authentication.token=" + token}
                : new String[] {"Cookie", "spectrum.authentication.token=" + token,
                        "Cookie", "SESSION=" + session};
    }

    private static void say(String name, Object value) {
        System.out.println(name + " " + value);
    }

    private void run() throws Exception {
        String manager = locate("/security/TokenManagerService", "TokenManagerServiceImplService");
        String logout = locate("/security/TokenLogoutService", "TokenLogoutServiceImplService");
        say("manager", manager);
        say("logout", logout);
        Exchange answer = post(manager, envelope(operation, "5"), "Authorization", authorization);
        say("sign-in", answer.status);
        if (answer.status != 200) {
            return;
        }
        Document plain = parse(answer.body, false);
        token = content(plain, "token");
        session = content(plain, "session");
        say("token", token);
        say("session", session);
        say("username", content(plain, "username"));
        Element response = (Element) parse(answer.body, true)
                .getElementsByTagNameNS(namespace, operation + "Response").item(0);
        say("response", response == null ? null : response.getNodeName());
        say("used", new Exchange(resource, null, cookies()).status);
        say("without-session", new Exchange(resource, null, "Cookie",
                "spectrum.authentication.token=" + token).status);
        Exchange out = post(logout, envelope("logout", null), cookies());
        say("log-out", out.status);
        say("log-out-response", parse(out.body, true)
                .getElementsByTagNameNS(namespace, "logoutResponse").getLength());
        say("used-after-log-out", new Exchange(resource, null, cookies()).status);
        say("log-out-again", post(logout, envelope("logout", null), cookies()).status);
    }

    public static void main(String[] args) throws Exception {
        new SoapClient(args).run();
    }
}
