/*
 * web/device_pages.h: devices (RFC 8628): the endpoint where they ask for codes, and the page where
 * people type them. For the web room alone.
 */
#ifndef JETON_WEB_DEVICE_PAGES_H
#define JETON_WEB_DEVICE_PAGES_H

#include "web/page_call.h"

endpoint_handler device_authorization_endpoint;
page_handler device_page;

#endif
