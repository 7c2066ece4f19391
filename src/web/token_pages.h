/*
 * web/token_pages.h: what the pages of permanent tokens share. For this room only.
 */
#ifndef JETON_WEB_TOKEN_PAGES_H
#define JETON_WEB_TOKEN_PAGES_H

#include "web/page_call.h"
#include "web/permanent_view.h"

/* What is wrong, in the reader's language. */
struct page_words token_fault_words(const struct page_call *page,
                                    const struct permanent_fault *fault);

/* The one answer that ever shows a token's value. */
void token_value_answer(struct page_call *page, const struct permanent *permanent, struct str value,
                        bool is_rotation);

/* Names the token in the log line of this request. */
void token_log(struct page_call *page, const struct permanent *permanent);

#endif
