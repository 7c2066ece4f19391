/*
 * web/api_page.h: what programs can ask for, as a page for people: /api. For this room only.
 *
 * It is made of the same rows as the OpenAPI document (web/openapi_endpoint.c). Its descriptions
 * are English, as those are.
 */
#ifndef JETON_WEB_API_PAGE_H
#define JETON_WEB_API_PAGE_H

#include "web/page_call.h"

page_handler api_page;

#endif
