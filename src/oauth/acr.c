#include "oauth/authorization.h"

/* Weakest first. What the third one promises is written down in OpenID Connect EAP ACR Values 1.0;
 * the first two are ours. */
static const struct str classes[] = {
    { "urn:jeton:acr:1fa", 17 },
    { "urn:jeton:acr:2fa", 17 },
    { "phr", 3 },
};

enum { CLASS_COUNT = sizeof(classes) / sizeof(classes[0]) };

/* One more than the index of a class; 0: none of ours. */
static size_t rank_of(struct str acr)
{
    for (size_t i = 0; i < CLASS_COUNT; i++)
        if (str_equal(classes[i], acr))
            return i + 1;
    return 0;
}

struct str acr_of(unsigned methods)
{
    if ((methods & METHOD_PASSKEY) != 0)
        return classes[2];
    if ((methods & METHOD_PASSWORD) != 0)
        return classes[(methods & METHOD_CODE) != 0 ? 1 : 0];
    return STR("");
}

bool acr_reaches(struct str acr, struct str wanted)
{
    size_t rank = rank_of(wanted);

    return rank > 0 && rank_of(acr) >= rank;
}
