/* SPDX-License-Identifier: ISC
 * The service, row by row, in the manual's order.  `exedra --routes` prints it; t/30-routes.t holds every row to its
 * expectations. */
#include "api/api.h"

/* clang-format off */
const struct route routes[] = {
	{ GET,    "/ping",                                 ANYONE,  NEEDS_NO_DB,         FORM_ERROR,     health_ping,                   "Is the program there?" },
	{ GET,    "/livez",                                ANYONE,  NEEDS_NO_DB,         FORM_ERROR,     health_live,                   "Is the process alive?  Never touches the database." },
	{ GET,    "/readyz",                               ANYONE,  0,                   FORM_ERROR,     health_ready,                  "Can requests be served: is the database there and of the right version?" },

	/* AnythingLLM's Developer API */
	{ GET,    "/v1/auth",                              MEMBER,  0,                   FORM_ERROR,     anythingllm_auth,              "Is the key good?" },

	{ POST,   "/v1/document/raw-text",                 MANAGER, LARGE_BODY,          FORM_SUCCESS,   anythingllm_document_raw_text, "Store a text as a document." },
	{ GET,    "/v1/documents",                         MANAGER, 0,                   FORM_ERROR,     anythingllm_document_list,     "All documents as folders of files, or one folder page by page." },
	{ GET,    "/v1/document/{docName}",                MANAGER, 0,                   FORM_TEXT,      anythingllm_document_show,     "One document by its file name." },

	{ POST,   "/v1/workspace/new",                     MANAGER, BODY,                FORM_WORKSPACE, anythingllm_workspace_new,     "Make a workspace." },
	{ GET,    "/v1/workspaces",                        MEMBER,  0,                   FORM_ERROR,     anythingllm_workspace_list,    "The workspaces that the caller sees." },
	{ GET,    "/v1/workspace/{slug}",                  MEMBER,  0,                   FORM_ERROR,     anythingllm_workspace_show,    "One workspace with its documents and threads." },
	{ DELETE, "/v1/workspace/{slug}",                  MANAGER, 0,                   FORM_TEXT,      anythingllm_workspace_delete,  "Delete a workspace; its documents stay stored." },
	{ POST,   "/v1/workspace/{slug}/update",           MANAGER, BODY,                FORM_TEXT,      anythingllm_workspace_update,  "Change a workspace's name or settings." },
	{ GET,    "/v1/workspace/{slug}/chats",            MEMBER,  0,                   FORM_TEXT,      anythingllm_workspace_chats,   "The history of the main conversation or of one API session." },
	{ POST,   "/v1/workspace/{slug}/update-embeddings",MANAGER, BODY,                FORM_TEXT,      anythingllm_workspace_embed,   "Put documents into a workspace and take others out." },
	{ POST,   "/v1/workspace/{slug}/chat",             MEMBER,  LARGE_BODY | STREAM, FORM_ABORT,     anythingllm_chat,              "Ask, and get the whole answer at once." },
	{ POST,   "/v1/workspace/{slug}/stream-chat",      MEMBER,  LARGE_BODY | STREAM, FORM_ABORT,     anythingllm_stream_chat,       "Ask, and get the answer as an event stream." },

	{ POST,   "/v1/workspace/{slug}/thread/new",                        MEMBER, BODY, FORM_TEXT, anythingllm_thread_new,      "Make a thread." },
	{ POST,   "/v1/workspace/{slug}/thread/{threadSlug}/update",        MEMBER, BODY, FORM_MESSAGE, anythingllm_thread_update, "Give a thread a name." },
	{ DELETE, "/v1/workspace/{slug}/thread/{threadSlug}",               MEMBER, 0,    FORM_TEXT, anythingllm_thread_delete,   "Delete a thread with its chats." },
	{ GET,    "/v1/workspace/{slug}/thread/{threadSlug}/chats",         MEMBER, 0,    FORM_MESSAGE, anythingllm_thread_chats, "The history of a thread." },
	{ POST,   "/v1/workspace/{slug}/thread/{threadSlug}/chat",          MEMBER, LARGE_BODY | STREAM, FORM_ABORT, anythingllm_chat, "Ask in a thread, and get the whole answer at once." },
	{ POST,   "/v1/workspace/{slug}/thread/{threadSlug}/stream-chat",   MEMBER, LARGE_BODY | STREAM, FORM_ABORT, anythingllm_stream_chat, "Ask in a thread, and get the answer as an event stream." },

	{ GET,    "/v1/openai/models",                     MEMBER,  0,                   FORM_NATIVE_OPENAI, openai_model_list,         "The workspaces as models." },
	{ POST,   "/v1/openai/chat/completions",           MEMBER,  LARGE_BODY | STREAM, FORM_NATIVE_OPENAI, openai_chat_completions,   "Chat with a workspace as a model." },

	/* OpenAI's API */
	{ GET,    "/v1/models",                            MEMBER,  0,                   FORM_OPENAI,    openai_model_list,             "The workspaces, and the server's model, as models." },
	{ GET,    "/v1/models/{id...}",                    MEMBER,  0,                   FORM_OPENAI,    openai_model_show,             "One model." },
	{ POST,   "/v1/chat/completions",                  MEMBER,  LARGE_BODY | STREAM, FORM_OPENAI,    openai_chat_completions,       "Chat with a workspace, or with the server's model." },

	{ 0 },
};
