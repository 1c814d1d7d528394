import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.client.apache.GZipContentInterceptor;
import ca.uhn.fhir.rest.client.api.IClientInterceptor;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.interceptor.BearerTokenAuthInterceptor;
import ca.uhn.fhir.rest.server.exceptions.BaseServerResponseException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.UUID;
import java.util.stream.Collectors;
import org.hl7.fhir.instance.model.api.IBaseOperationOutcome;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CapabilityStatement;
import org.hl7.fhir.r4.model.Enumerations.AdministrativeGender;
import org.hl7.fhir.r4.model.IdType;
import org.hl7.fhir.r4.model.Observation;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.Patient;
import org.hl7.fhir.r4.model.Reference;

/**
 * A hospital's system written with the HAPI FHIR client.
 *
 * In: base address, file of an API key, audience of assertions, file of a private key (PKCS 8, DER, P-384), its kid.
 * Out: one line a step, its name, a tab and what the client made of the answer.
 */
public class Hospital {
    static final FhirContext R4 = FhirContext.forR4();

    public static void main(String[] arguments) throws Exception {
        String base = arguments[0];
        String key = Files.readString(Path.of(arguments[1])).strip();
        R4.getRestfulClientFactory().setSocketTimeout(30_000);
        IGenericClient client = client(base, key);

        tell("capabilities", capabilities(client));
        tell("transaction", statuses(client.transaction().withBundle(bundle("hapi-1", true)).execute()));
        tell("refused", refused(() -> client.transaction().withBundle(bundle("hapi-2", false)).execute()));
        tell("update", outcome(client.update().resource(patient("hapi-3", true)).execute()));
        tell("delete", outcome(client.delete().resourceById(new IdType("Patient", "hapi-3")).execute()));
        tell("validate-good", codes(client.validate().resource(patient("hapi-4", true)).execute().getOperationOutcome()));
        tell("validate-wrong", codes(client.validate().resource(patient("hapi-5", false)).execute().getOperationOutcome()));
        Bundle whole = bundle("hapi-5", true);
        whole.setId("hapi-5");
        tell("validate-bundle", codes(client.validate().resource(whole).execute().getOperationOutcome()));
        tell("read", refused(() -> client.read().resource(Patient.class).withId("hapi-1").execute()));
        IGenericClient stranger = client(base, "sgk_00000000_" + "A".repeat(43));
        tell("stranger", refused(() -> stranger.transaction().withBundle(bundle("hapi-6", true)).execute()));
        IGenericClient xml = client(base, key);
        xml.setEncoding(EncodingEnum.XML);
        tell("xml", refused(() -> xml.transaction().withBundle(bundle("hapi-7", true)).execute()));

        String token = token(base, arguments[2], Path.of(arguments[3]), arguments[4]);
        IGenericClient smart = client(base, token, new GZipContentInterceptor());
        tell("smart", statuses(smart.transaction().withBundle(bundle("hapi-8", true)).execute()));
    }

    static IGenericClient client(String base, String secret, IClientInterceptor... more) {
        IGenericClient client = R4.newRestfulGenericClient(base + "/fhir");
        client.registerInterceptor(new BearerTokenAuthInterceptor(secret));
        List.of(more).forEach(client::registerInterceptor);
        return client;
    }

    static Patient patient(String id, boolean right) {
        Patient patient = new Patient();
        patient.setId(id);
        patient.setGender(AdministrativeGender.FEMALE);
        if (!right) {
            patient.addContact();  // FHIR R4 pat-1: a contact has a name, a telecom, an address or an organization
            patient.getContactFirstRep().setGender(AdministrativeGender.MALE);
        }
        return patient;
    }

    static Bundle bundle(String id, boolean right) {
        Observation observation = new Observation();
        observation.setId(id + "-o");
        observation.setStatus(Observation.ObservationStatus.FINAL);
        observation.getCode().addCoding().setSystem("http://loinc.org").setCode("718-7");
        observation.setSubject(new Reference("Patient/" + id));
        Bundle bundle = new Bundle();
        bundle.setType(Bundle.BundleType.TRANSACTION);
        for (org.hl7.fhir.r4.model.Resource one : List.of(patient(id, right), observation)) {
            String url = one.fhirType() + "/" + one.getIdElement().getIdPart();
            Bundle.BundleEntryComponent entry = bundle.addEntry();
            entry.setFullUrl("https://his.example/fhir/" + url).setResource(one);
            entry.getRequest().setMethod(Bundle.HTTPVerb.PUT).setUrl(url);
        }
        return bundle;
    }

    static String capabilities(IGenericClient client) {
        CapabilityStatement statement = client.capabilities().ofType(CapabilityStatement.class).execute();
        return statement.getFhirVersion().toCode() + " " + statement.getRestFirstRep().getInteraction().stream()
            .map(one -> one.getCode().toCode()).sorted().collect(Collectors.joining(" "));
    }

    static String statuses(Bundle answer) {
        return answer.getType().toCode() + " " + answer.getEntry().stream()
            .map(one -> one.getResponse().getStatus()).collect(Collectors.joining(", "));
    }

    static String outcome(MethodOutcome answer) {
        return answer.getResponseStatusCode() + " " + codes(answer.getOperationOutcome());
    }

    static String codes(IBaseOperationOutcome outcome) {
        return ((OperationOutcome) outcome).getIssue().stream()
            .map(one -> one.getSeverity().toCode() + ":" + one.getDetails().getCodingFirstRep().getCode())
            .collect(Collectors.joining(" "));
    }

    static String refused(Runnable call) {
        try {
            call.run();
        } catch (BaseServerResponseException refusal) {
            IBaseOperationOutcome outcome = refusal.getOperationOutcome();
            return refusal.getStatusCode() + " " + (outcome == null ? "no outcome" : codes(outcome));
        }
        return "accepted";
    }

    /** SMART Backend Services: a signed assertion, used once, gives an access token. */
    static String token(String base, String audience, Path privateKey, String kid) throws Exception {
        long now = System.currentTimeMillis() / 1000;
        String header = "{\"alg\":\"ES384\",\"typ\":\"JWT\",\"kid\":\"" + kid + "\"}";
        String claims = "{\"iss\":\"ehr\",\"sub\":\"ehr\",\"aud\":\"" + audience + "\",\"iat\":" + now
            + ",\"exp\":" + (now + 200) + ",\"jti\":\"" + UUID.randomUUID() + "\"}";
        String signed = encoded(header.getBytes(StandardCharsets.UTF_8)) + "." + encoded(claims.getBytes(StandardCharsets.UTF_8));
        PrivateKey key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(privateKey)));
        Signature signature = Signature.getInstance("SHA384withECDSAinP1363Format");
        signature.initSign(key);
        signature.update(signed.getBytes(StandardCharsets.US_ASCII));
        String form = "grant_type=client_credentials&scope=" + field("system/*.cud")
            + "&client_assertion_type=" + field("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            + "&client_assertion=" + signed + "." + encoded(signature.sign());
        HttpRequest request = HttpRequest.newBuilder(URI.create(base + "/auth/token"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(HttpRequest.BodyPublishers.ofString(form)).build();
        String answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
        return answer.split("\"access_token\"\\s*:\\s*\"")[1].split("\"")[0];
    }

    static String encoded(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    static String field(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    static void tell(String step, String found) {
        System.out.println(step + "\t" + found);
    }
}
