"""The modules of the OpenID Foundation's plan fapi2-security-profile-final-test-plan (plain FAPI,
OpenID Connect), one test each, named after it without the plan's prefix.

Each runs in variants of the plan that have it: clients that authenticate with a key or with a
certificate, and tokens that are bound to the one or the other. The two modules that wait for a
code or a pushed request to expire use a clock that is set. docs/conformance.md has the list.
"""

import copy
import json
import re
import time

from conformance import docs_modules
from dpop import Key
from fapi_client import OF_ALL, OF_DPOP, OF_KEYS, SCOPE, FapiClient, Plain, refused
from fapi_client import clients, door, first, second, variant  # noqa: F401
from harness import form_encode, jwt_part
from relying_party import VERIFIER


def shown(person, error):
    assert person.status == 400 and person.text_of("error") == error, person.answer


def test_docs_name_every_module():
    rows = docs_modules("fapi2-security-profile-final-")
    assert len(rows) == 62
    for module, text in rows.items():
        name = "test_" + module.replace("-", "_").lower()
        assert (name in globals()) != text.startswith("does not apply"), module


# -- what has to work -------------------------------------------------------------------------


def test_discovery_end_point_verification(door):
    found = json.loads(door.request("GET", "/.well-known/openid-configuration").body)
    assert found["issuer"] == door.root
    for name, value in found.items():
        if name.endswith(("_endpoint", "_uri")) and isinstance(value, str):
            assert value.startswith(door.root + "/"), name
    assert found["authorization_response_iss_parameter_supported"] is True
    assert found["tls_client_certificate_bound_access_tokens"] is True
    assert isinstance(found["require_pushed_authorization_requests"], bool)
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert {"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"} <= \
        set(found["token_endpoint_auth_methods_supported"])
    for name in ("token_endpoint_auth", "dpop", "id_token"):
        assert {"ES256", "EdDSA"} <= set(found[name + "_signing_alg_values_supported"]), name
    assert found["pushed_authorization_request_endpoint"] == door.root + "/oauth2/par"
    assert {"authorization_code", "refresh_token"} <= set(found["grant_types_supported"])
    assert found["response_types_supported"] == ["code"]
    assert "openid" in found["scopes_supported"] and "public" in found["subject_types_supported"]
    # RFC 8705 5: certificates are asked for at the endpoints themselves.
    assert "mtls_endpoint_aliases" not in found


@OF_ALL
def test_happy_flow(first, second):
    tokens = first.tokens()
    claims = jwt_part(tokens["id_token"], 1)
    assert claims["aud"] == first.client_id and claims["nonce"] == "n-1"
    assert jwt_part(tokens["id_token"], 0)["alg"] == "ES256"
    for accept in ("application/json; charset=utf-8", "application/json, */*;q=0.5"):
        answer = first.use(tokens["access_token"], more=[("Accept", accept)])
        assert answer.json["sub"] == claims["sub"]
    in_query = first.door.request(
        "GET", "/oauth2/userinfo?access_token=" + tokens["access_token"],
        certificate=first.certificate)
    assert in_query.status in (400, 401)
    # The second client's redirect URI has a query, its nonce is longer, and it names its key
    # without a proof of it (RFC 9449 10).
    callback = second.callback + "?dummy1=lorem&dummy2=ipsum"
    asked = {"redirect_uri": callback, "nonce": "n" * 43}
    if second.has_proofs:
        asked["dpop_jkt"] = second.holder.thumbprint
    person = second.visitor()
    second.start(person, second.pushed(**asked))
    code = second.answer(second.go_on(person), callback)["code"]
    token = second.redeem(code, redirect_uri=callback).json["access_token"]
    assert second.use(token).status == 200
    wrong = first.proof("/oauth2/userinfo", "GET", token=token) if first.has_proofs else None
    assert first.use(token, wrong).status == 401


def test_user_rejects_authentication(first, second):
    for client in (first, second):
        person = client.visitor()
        client.start(person, client.pushed(prompt="consent"))
        answer = client.answer(client.go_on(person, "deny"))
        assert answer["error"] == "access_denied" and answer["state"] == "st-1"


def test_ensure_authorization_request_without_state_success(first):
    assert "state" not in first.authorize(state=None)


def test_ensure_authorization_request_without_nonce_success(first):
    assert "nonce" not in jwt_part(first.tokens(nonce=None)["id_token"], 1)


def test_ensure_authorization_request_with_64_char_nonce_success(first):
    nonce = "n" * 64
    assert jwt_part(first.tokens(nonce=nonce)["id_token"], 1)["nonce"] == nonce


def test_ensure_other_scope_order_succeeds(first):
    first.tokens(scope="email profile openid")


def test_test_claims_parameter_identity_claims(door, first):
    found = json.loads(door.request("GET", "/.well-known/openid-configuration").body)
    asked = set(found["claims_supported"]) & {"name", "preferred_username", "email",
                                              "email_verified"}
    assert asked
    request = {place: {name: {"essential": True} for name in [*sorted(asked), "not_known"]}
               for place in ("userinfo", "id_token")}
    tokens = first.tokens(scope="openid", claims=json.dumps(request))
    assert asked <= set(first.use(tokens["access_token"]).json)
    assert asked <= set(jwt_part(tokens["id_token"], 1))


@OF_ALL
def test_access_token_type_header_case_sensitivity(first):
    token = first.tokens()["access_token"]
    for scheme in (("dpop", "DPOP", "DpOp") if first.has_proofs else ("bearer", "BEARER")):
        assert first.use(token, scheme=scheme).status == 200


def test_ensure_authorization_request_with_long_nonce(first):
    nonce = "n" * 384
    assert jwt_part(first.tokens(nonce=nonce)["id_token"], 1)["nonce"] == nonce


def test_ensure_authorization_request_with_long_state(first):
    assert first.authorize(state="s" * 1000)["state"] == "s" * 1000


@OF_ALL
def test_refresh_token(first, second):
    tokens = first.tokens()
    value = tokens["refresh_token"]
    # The suite has a new key each time; only a public client's refresh token is bound to one.
    key = Key() if first.has_proofs else None
    again = first.refresh(value, first.proof(key=key) if key else None)
    # FAPI 2.0 Security Profile 5.3.2.1: no rotation.
    assert again.status == 200 and again.json["refresh_token"] == value
    before, after = (jwt_part(answer["id_token"], 1) for answer in (tokens, again.json))
    for name in ("iss", "sub", "aud", "auth_time"):
        assert after[name] == before[name]
    assert again.json["access_token"] != tokens["access_token"]
    token = again.json["access_token"]
    proof = first.proof("/oauth2/userinfo", "GET", token=token, key=key) if key else None
    assert first.use(token, proof).status == 200
    assert first.use(tokens["access_token"]).status == 200
    refused(first.refresh(value, **first.unauthenticated), "invalid_client")
    refused(first.refresh(value, **first.unbound), "invalid_client", "invalid_request",
            "invalid_dpop_proof")
    refused(second.refresh(value), "invalid_grant")
    assert first.refresh(value).status == 200


# -- client authentication --------------------------------------------------------------------


@OF_ALL
def test_ensure_client_id_in_token_endpoint(first, second):
    code = first.authorize()["code"]
    other = {"iss": second.client_id, "sub": second.client_id}
    for assertion in [None, first.assertion(**other)] if first.has_key else [None]:
        refused(first.redeem(code, client_id=second.client_id, assertion=assertion),
                "invalid_client", "invalid_request")
    assert first.redeem(code).status == 200


@OF_KEYS
def test_ensure_client_assertion_in_token_endpoint(first):
    refused(first.redeem(first.authorize()["code"], assertion=""), "invalid_client")


def at_both(first, **changes):
    """An assertion that is refused at the token and the PAR endpoint, and a good one is not."""
    code = first.authorize()["code"]
    refused(first.redeem(code, assertion=first.assertion(**changes)), "invalid_client")
    refused(first.push(assertion=first.assertion(**changes)), "invalid_client")
    assert first.redeem(code).status == 200


@OF_KEYS
def test_ensure_signed_client_assertion_with_rs256_fails(first):
    at_both(first, key=first.rs256, kid="rs")


@OF_KEYS
def test_ensure_client_assertion_with_exp_is_5_minutes_in_past_fails(first):
    at_both(first, exp=int(time.time()) - 300)


@OF_KEYS
def test_ensure_client_assertion_with_wrong_aud_fails(first):
    at_both(first, aud="https://other.example")


@OF_KEYS
def test_ensure_client_assertion_with_no_sub_fails(first):
    at_both(first, sub=None)


@OF_KEYS
def test_par_ensure_jwt_client_assertions_nbf_8_seconds_in_the_future_is_accepted(first):
    then = int(time.time()) + 8
    assert first.push(assertion=first.assertion(iat=then, nbf=then)).status == 201


@OF_KEYS
def test_par_ensure_jwt_client_assertions_nbf_over_60_seconds_in_the_future_fails(first):
    then = int(time.time()) + 65
    for changes in ({"iat": then, "nbf": then}, {"iat": then}, {"nbf": then}):
        refused(first.push(assertion=first.assertion(exp=then + 60, **changes)),
                "invalid_client")


@OF_KEYS
def test_par_test_array_as_audience_fails(first):
    for audience in ([first.root], [first.root + "/oauth2/par"],
                     [first.root, "https://other.example"]):
        refused(first.push(assertion=first.assertion(aud=audience)), "invalid_client")


@OF_KEYS
def test_par_test_par_endpoint_url_as_audience_fails(first):
    refused(first.push(assertion=first.assertion(aud=first.root + "/oauth2/par")),
            "invalid_client")


@OF_KEYS
def test_par_test_token_endpoint_url_as_audience_fails(first):
    refused(first.push(assertion=first.assertion(aud=first.root + "/oauth2/token")),
            "invalid_client")


# -- proofs -----------------------------------------------------------------------------------


@OF_ALL
def test_ensure_holder_of_key_required(first):
    answer = first.redeem(first.authorize()["code"], **first.unbound)
    if first.has_proofs:
        refused(answer, "invalid_dpop_proof", "invalid_request")
    else:
        refused(answer, "invalid_request" if first.has_key else "invalid_client")


@OF_DPOP
def test_check_dpop_proof_nbf_exp(first):
    times = {"nbf": int(time.time()) - 10, "exp": int(time.time()) + 60}
    answer = first.redeem(first.authorize()["code"], proof=first.proof(**times))
    token = answer.json["access_token"]
    proof = first.proof("/oauth2/userinfo", "GET", token=token, **times)
    assert first.use(token, proof).status == 200


def proofs_of(first, then):
    code = first.authorize(proof=first.proof("/oauth2/par", iat=then))["code"]
    token = first.redeem(code, proof=first.proof(iat=then)).json["access_token"]
    proof = first.proof("/oauth2/userinfo", "GET", token=token, iat=then)
    assert first.use(token, proof).status == 200


@OF_DPOP
def test_ensure_dpopproof_with_iat_10seconds_before_succeeds(first):
    proofs_of(first, int(time.time()) - 10)


@OF_DPOP
def test_ensure_dpopproof_with_iat_10seconds_after_succeeds(first):
    proofs_of(first, int(time.time()) + 10)


@OF_DPOP
def test_ensure_mismatched_dpop_jkt_fails(first):
    refused(first.push(proof=first.proof("/oauth2/par"), dpop_jkt=Key().thumbprint),
            "invalid_dpop_proof", "invalid_request")


@OF_DPOP
def test_ensure_token_endpoint_fails_with_mismatched_dpop_proof_jkt(first):
    code = first.authorize(proof=first.proof("/oauth2/par"))["code"]
    refused(first.redeem(code, proof=first.proof(key=Key())), "invalid_dpop_proof",
            "invalid_grant")


@OF_DPOP
def test_ensure_token_endpoint_fails_with_mismatched_dpop_jkt(first):
    code = first.authorize(dpop_jkt=first.holder.thumbprint)["code"]
    refused(first.redeem(code, proof=first.proof(key=Key())), "invalid_dpop_proof",
            "invalid_grant")


@OF_DPOP
def test_ensure_dpopproof_at_par_endpoint_binding_success(first):
    first.tokens(proof=first.proof("/oauth2/par"))


@OF_DPOP
def test_ensure_dpop_auth_code_binding_success(first):
    first.tokens(proof=first.proof("/oauth2/par"), dpop_jkt=first.holder.thumbprint)


@OF_DPOP
def test_dpop_negative_tests(first):
    token = first.tokens()["access_token"]
    good = {"path": "/oauth2/userinfo", "method": "GET", "token": token}
    proof = first.proof(**good)
    head, claims, signature = proof.split(".")
    private = {**first.holder.jwk, "d": first.holder.jwk["x"]}
    bad = {"not well-formed": head + "." + claims, "nothing": "x",
           "wrong signature": f"{head}.{claims}.{signature[:-8]}AAAAAAAA"}
    for name, changes in {
            "no ath": {"token": None}, "other ath": {"token": "another"},
            "other method": {"method": "PUT"}, "other address": {"path": "/oauth2/other"},
            "no jti": {"jti": None}, "no htm": {"htm": None}, "no htu": {"htu": None},
            "other host": {"htu": "https://other.example/oauth2/userinfo"},
            "no iat": {"iat": None}, "old": {"iat": int(time.time()) - 3600},
            "too new": {"iat": int(time.time()) + 3600}, "other key": {"key": Key()},
            "wrong type": {"header": {"typ": "JWT"}}, "no type": {"header": {"typ": None}},
            "no key": {"header": {"jwk": None}}, "private key": {"header": {"jwk": private}},
            "no algorithm": {"header": {"alg": None}}, "none": {"header": {"alg": "none"}},
            "symmetric": {"header": {"alg": "HS256"}}}.items():
        bad[name] = first.proof(**{**good, **changes})
    for name, one in bad.items():
        answer = first.use(token, one)
        assert answer.status == 401, (name, answer)
        assert re.match("DPoP ", answer.header("WWW-Authenticate")), name
    assert first.use(token, "").status == 401
    assert first.use(token, "", more=[("DPoP", first.proof(**good))] * 2).status == 401
    assert first.use(token, "", scheme="Bearer").status == 401
    assert first.use(token, first.proof(**good), scheme="Bearer").status == 401
    htu = first.root + "/oauth2/userinfo"
    for name, changes in {
            "query and fragment": {"htu": htu + "?a=b#c"}, "other claims": {"extra": {"a": 1}},
            "other header": {"header": {"extra": "x"}},
            "cases": {"htu": htu.replace("https:", "HTTPS:")}}.items():
        assert first.use(token, first.proof(**{**good, **changes})).status == 200, name
    assert first.use(token, "", more=[("DPOP", first.proof(**good))]).status == 200
    assert first.use(token, proof).status == 200
    assert first.use(token, proof).status == 401


@OF_DPOP
def test_dpop_negative_tests_rs256(first):
    """FAPI 2.0 Security Profile 5.4.1: with the same RSA key, in the one form and the other."""
    key = Key("PS256")
    weak = copy.copy(key)
    weak.alg = "RS256"
    refused(first.push(proof=first.proof("/oauth2/par", key=weak)), "invalid_dpop_proof")
    code = first.authorize()["code"]
    refused(first.redeem(code, proof=first.proof(key=weak)), "invalid_dpop_proof")
    token = first.redeem(code, proof=first.proof(key=key)).json["access_token"]
    good = {"path": "/oauth2/userinfo", "method": "GET", "token": token}
    assert first.use(token, first.proof(**good, key=weak)).status == 401
    assert first.use(token, first.proof(**good, key=key)).status == 200


# -- codes ------------------------------------------------------------------------------------


@OF_ALL
def test_ensure_authorization_code_is_bound_to_client(first, second):
    answer = second.redeem(first.authorize()["code"], redirect_uri=first.callback)
    refused(answer, "invalid_grant")


def test_attempt_reuse_authorization_code_after_one_second(first):
    code = first.authorize()["code"]
    token = first.redeem(code).json["access_token"]
    refused(first.redeem(code), "invalid_grant")
    assert first.use(token).status == 401


def test_ensure_pkce_code_verifier_required(first):
    refused(first.redeem(first.authorize()["code"], code_verifier=None), "invalid_grant")


def test_incorrect_pkce_code_verifier_rejected(first):
    refused(first.redeem(first.authorize()["code"], code_verifier="x" * 43), "invalid_grant")


def test_ensure_token_endpoint_fails_with_expired_auth_code(faked_time):
    server, set_time = faked_time
    client = FapiClient(Plain(server), "fapi-late")
    code = client.authorize()["code"]
    set_time(62)
    then = int(time.time()) + 62
    answer = client.redeem(code, proof=client.proof(iat=then),
                           assertion=client.assertion(iat=then, exp=then + 60))
    refused(answer, "invalid_grant")


# -- requests ---------------------------------------------------------------------------------


def test_par_ensure_pkce_required(first):
    refused(first.push(code_challenge=None, code_challenge_method=None), "invalid_request")


def test_par_plain_pkce_rejected(first):
    refused(first.push(code_challenge=VERIFIER, code_challenge_method="plain"),
            "invalid_request")


def test_ensure_redirect_uri_in_authorization_request(first):
    refused(first.push(redirect_uri=None), "invalid_request")


def test_ensure_request_object_without_redirect_uri_fails(first):
    """In the plan without request objects, what is pushed stands for one."""
    for query in ("", "?" + form_encode({"redirect_uri": first.callback})):
        refused(first.post("/oauth2/par" + query, first.request(redirect_uri=None)),
                "invalid_request")


def test_ensure_registered_redirect_uri(first):
    refused(first.push(redirect_uri=first.callback + "/other"), "invalid_request")


def test_plain_fapi_tolerate_unregistered_redirect_uri(first):
    """RFC 9126 2.4 would allow it; here it is refused, which the module tolerates as well."""
    refused(first.push(redirect_uri="https://unregistered.example/callback"), "invalid_request")


def test_ensure_response_type_code_idtoken_fails(first):
    refused(first.push(response_type="code id_token"), "unsupported_response_type")


def test_ensure_response_type_token_fails(first):
    refused(first.push(response_type="token"), "unsupported_response_type")


def test_par_authorization_request_containing_request_uri_form_param(first):
    refused(first.push(request_uri="urn:ietf:params:oauth:request_uri:x"), "invalid_request")


def test_par_attempt_invalid_http_method(first):
    for method in ("PUT", "GET", "DELETE"):
        assert first.post("/oauth2/par", first.request(), method=method).status == 405


def test_ensure_unsigned_authorization_request_without_using_par_fails(first):
    first.person.open("/oauth2/authorize?" + form_encode(
        {**first.request(), "client_id": first.client_id}))
    if first.person.status == 400:
        assert first.person.has("error")
    else:
        assert first.answer(first.person)["error"] == "invalid_request"


def test_par_without_duplicate_parameters(first):
    assert first.authorize()["state"] == "st-1"


def test_ensure_different_nonce_inside_and_outside_request_object(first):
    """What stands outside is ignored: here, and in the next two."""
    tokens = first.tokens({"nonce": "other"})
    assert jwt_part(tokens["id_token"], 1)["nonce"] == "n-1"


def test_ensure_different_state_inside_and_outside_request_object(first):
    outside = {"state": "other", "scope": "read", "redirect_uri": "https://evil.example/"}
    answer = first.authorize(outside)
    assert answer["state"] == "st-1"
    assert first.redeem(answer["code"]).json["scope"] == SCOPE


def test_state_only_outside_request_object_not_used(first):
    answer = first.authorize({"state": "outside"}, state=None)
    assert "state" not in answer and first.redeem(answer["code"]).status == 200


def test_par_ensure_reused_request_uri_prior_to_auth_completion_succeeds(first):
    uri = first.pushed()
    first.start(first.visitor(), uri)
    person = first.start(first.visitor(), uri)
    assert person.has("username")
    assert "code" in first.answer(first.go_on(person))


def test_par_attempt_reuse_request_uri(first):
    uri = first.pushed()
    assert "code" in first.answer(first.go_on(first.start(first.person, uri)))
    shown(first.start(first.person, uri), "invalid_request_uri")


def test_par_attempt_to_use_request_uri_for_different_client(first, second):
    shown(second.start(second.person, first.pushed()), "invalid_request_uri")


def test_par_attempt_to_use_expired_request_uri(faked_time):
    server, set_time = faked_time
    client = FapiClient(Plain(server), "fapi-slow")
    answer = client.push()
    set_time(answer.json["expires_in"] + 1)
    shown(client.start(client.person, answer.json["request_uri"]), "invalid_request_uri")
