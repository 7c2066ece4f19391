import static org.springframework.security.config.Customizer.withDefaults;

import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.File;
import java.io.IOException;
import java.time.Duration;
import org.apache.catalina.startup.Tomcat;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.annotation.Order;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.annotation.web.configuration.EnableWebSecurity;
import org.springframework.security.core.Authentication;
import org.springframework.security.oauth2.client.OAuth2AuthorizationContext;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.RefreshTokenOAuth2AuthorizedClientProvider;
import org.springframework.security.oauth2.client.oidc.web.logout.*;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.client.registration.ClientRegistrations;
import org.springframework.security.oauth2.client.registration.InMemoryClientRegistrationRepository;
import org.springframework.security.oauth2.client.web.HttpSessionOAuth2AuthorizedClientRepository;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizedClientRepository;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.csrf.CsrfToken;
import org.springframework.web.context.support.AnnotationConfigWebApplicationContext;

/**
 * A web site on Spring Security: its pages are for people that sign in at a Jeton, /signed/ takes
 * JWT access tokens (RFC 9068) and /opaque/ asks Jeton about what it is sent.
 *
 * <p>Arguments: issuer, the site's client id and secret, the service of /signed/ and the client
 * whose tokens it takes, the service of /opaque/ and its secret, a folder. The port goes to
 * standard output; the end of standard input ends it.
 */
@Configuration
@EnableWebSecurity
public class SpringClients {
    private static String issuer, clientId, clientSecret, service, caller, asking, askingSecret;

    @Bean
    ClientRegistrationRepository registrations() {
        return new InMemoryClientRegistrationRepository(
                ClientRegistrations.fromIssuerLocation(issuer).registrationId("jeton")
                        .clientId(clientId).clientSecret(clientSecret)
                        .scope("openid", "profile", "email", "read")
                        .userNameAttributeName("preferred_username")
                        .clientSettings(ClientRegistration.ClientSettings.builder()
                                .requireProofKey(true).build())
                        .build());
    }

    @Bean
    OAuth2AuthorizedClientRepository authorizedClients() {
        return new HttpSessionOAuth2AuthorizedClientRepository();
    }

    @Bean
    @Order(1)
    SecurityFilterChain signed(HttpSecurity http) throws Exception {
        NimbusJwtDecoder decoder = NimbusJwtDecoder.withIssuerLocation(issuer)
                .validateType(false).build(); // the validators ask for at+jwt
        decoder.setJwtValidator(JwtValidators.createAtJwtValidator().issuer(issuer)
                .audience(service).clientId(caller).build());
        return http.securityMatcher("/signed/**")
                .authorizeHttpRequests(all -> all.anyRequest().hasAuthority("SCOPE_jread"))
                .oauth2ResourceServer(its -> its.jwt(jwt -> jwt.decoder(decoder))).build();
    }

    @Bean
    @Order(2)
    SecurityFilterChain opaque(HttpSecurity http) throws Exception {
        return http.securityMatcher("/opaque/**")
                .authorizeHttpRequests(all -> all.anyRequest().hasAuthority("SCOPE_read"))
                .oauth2ResourceServer(its -> its.opaqueToken(opaque -> opaque
                        .introspectionUri(issuer + "/oauth2/introspect")
                        .introspectionClientCredentials(asking, askingSecret))).build();
    }

    @Bean
    @Order(3)
    SecurityFilterChain pages(HttpSecurity http) throws Exception {
        var leave = new OidcClientInitiatedLogoutSuccessHandler(registrations());
        leave.setPostLogoutRedirectUri("{baseUrl}/left");
        return http.authorizeHttpRequests(all -> all.requestMatchers("/left").permitAll()
                        .anyRequest().authenticated())
                .oauth2Login(withDefaults())
                .logout(its -> its.logoutSuccessHandler(leave)).build();
    }

    /** What the doors above let through. */
    private static class Pages extends HttpServlet {
        private final OAuth2AuthorizedClientRepository authorizedClients;

        Pages(ApplicationContext context) {
            authorizedClients = context.getBean(OAuth2AuthorizedClientRepository.class);
        }

        /** Refreshes the tokens of the session, and says whether both are new. */
        private boolean renew(HttpServletRequest request, HttpServletResponse response) {
            var who = (Authentication) request.getUserPrincipal();
            OAuth2AuthorizedClient old =
                    authorizedClients.loadAuthorizedClient("jeton", who, request);
            var provider = new RefreshTokenOAuth2AuthorizedClientProvider();
            provider.setClockSkew(Duration.ofDays(1)); // whatever is left of it is too short
            OAuth2AuthorizedClient next = provider.authorize(
                    OAuth2AuthorizationContext.withAuthorizedClient(old).principal(who).build());
            authorizedClients.saveAuthorizedClient(next, who, request, response);
            return !next.getAccessToken().getTokenValue()
                            .equals(old.getAccessToken().getTokenValue())
                    && !next.getRefreshToken().getTokenValue()
                            .equals(old.getRefreshToken().getTokenValue());
        }

        private static String page(HttpServletRequest request) {
            var user = (OidcUser) ((Authentication) request.getUserPrincipal()).getPrincipal();
            var token = (CsrfToken) request.getAttribute(CsrfToken.class.getName());
            return "<p id=\"name\">" + request.getRemoteUser() + "</p><p id=\"email\">"
                    + user.getUserInfo().getEmail() + "</p><p id=\"subject\">"
                    + user.getIdToken().getSubject()
                    + "</p><form method=\"post\" action=\"/logout\">"
                    + "<input type=\"hidden\" name=\"" + token.getParameterName() + "\" value=\""
                    + token.getToken() + "\"><button id=\"leave\">Leave</button></form>";
        }

        @Override
        protected void doGet(HttpServletRequest request, HttpServletResponse response)
                throws IOException {
            String path = request.getRequestURI();
            String text = switch (path) {
                case "/left" -> "<p id=\"left\">You have left.</p>";
                case "/renew" -> "<p id=\"renewed\">" + renew(request, response) + "</p>";
                case "/" -> page(request);
                case "/signed/", "/opaque/" -> request.getRemoteUser();
                default -> null;
            };
            if (text == null) {
                response.sendError(404);
                return;
            }
            response.setContentType("text/html;charset=UTF-8");
            response.getWriter().write(text);
        }
    }

    public static void main(String[] args) throws Exception {
        issuer = args[0];
        clientId = args[1];
        clientSecret = args[2];
        service = args[3];
        caller = args[4];
        asking = args[5];
        askingSecret = args[6];
        File folder = new File(args[7]);
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(folder.getPath());
        tomcat.setPort(0);
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        tomcat.addContext("", folder.getPath()).addServletContainerInitializer((classes, site) -> {
            var context = new AnnotationConfigWebApplicationContext();
            context.register(SpringClients.class);
            context.setServletContext(site);
            context.refresh();
            site.addFilter("security", context.getBean("springSecurityFilterChain", Filter.class))
                    .addMappingForUrlPatterns(null, false, "/*");
            site.addServlet("pages", new Pages(context)).addMapping("/*");
        }, null);
        tomcat.start();
        System.out.println(tomcat.getConnector().getLocalPort());
        while (System.in.read() >= 0) {
            continue;
        }
        tomcat.stop();
        System.exit(0);
    }
}
