/*
 * web/logout_pages.h: the end_session_endpoint as browsers see it (OpenID Connect RP-Initiated
 * Logout 1.0): the question, the end of the session, and the way back to the client. For the web
 * room alone.
 */
#ifndef JETON_WEB_LOGOUT_PAGES_H
#define JETON_WEB_LOGOUT_PAGES_H

#include "web/page_call.h"

page_handler logout_page;
page_handler logout_confirmed_page; /* the answer to its question */

#endif
