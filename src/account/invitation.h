/*
 * account/invitation.h: accounts that an administrator makes without a password, for people who
 * then choose one by a link in a mail.
 *
 * The link is good for LINK_INVITATION_S and once (account/reset.h uses it). Until it is followed
 * nobody can sign in to the account; whoever comes too late asks for a new password as anybody who
 * forgot theirs.
 */
#ifndef JETON_ACCOUNT_INVITATION_H
#define JETON_ACCOUNT_INVITATION_H

#include "account/admin.h"
#include "account/link.h"

/*
 * Drafts account and link: the account is given its id.
 *
 * out_link    to the account's address, whose strings it shares
 * out_value   as of link_draft
 *
 * Answers: RC_OK.  Faults: the store's
 */
enum rc invitation_draft(struct store *store, struct account *account, struct link *out_link,
                         struct secret *out_value) MUST_CHECK;

/*
 * Makes the account with its link and its mail. Whoever calls vouches for the address. Failed tries
 * of the name from before do not hold up its owner.
 *
 * Answers: RC_OK · RC_EXISTS the name is taken · RC_INVALID the name, with out_error.  Faults: the
 * store's
 */
enum rc invitation_send(struct store *store, struct throttle_book *throttle,
                        const struct admin *admin, const struct account *account,
                        const struct link *link, const struct mail *notice,
                        struct buffer *out_error) MUST_CHECK;

#endif
