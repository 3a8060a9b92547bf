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

	/* Open WebUI's API; with /api before it */
	{ GET,    "/version",                              ANYONE,  NEEDS_NO_DB,         FORM_DETAIL,    openwebui_version,             "Which version of Open WebUI's API is spoken here." },
	{ GET,    "/config",                               ANYONE,  NEEDS_NO_DB,         FORM_DETAIL,    openwebui_config,              "What the server offers." },
	{ GET,    "/models",                               MEMBER,  0,                   FORM_DETAIL,    openai_model_list,             "The workspaces, and the server's model, as models." },
	{ POST,   "/chat/completions",                     MEMBER,  LARGE_BODY | STREAM, FORM_DETAIL,    openai_chat_completions,       "Chat with a workspace, or with the server's model." },
	{ GET,    "/v1/files",                             MEMBER,  0,                   FORM_DETAIL,    openwebui_file_list,           "The files that the caller sees, with their texts." },
	{ GET,    "/v1/files/search",                      MEMBER,  0,                   FORM_DETAIL,    openwebui_file_search,         "Files by name." },
	{ DELETE, "/v1/files/all",                         ADMIN,   0,                   FORM_DETAIL,    openwebui_file_delete_all,     "Delete all files." },
	{ GET,    "/v1/files/{id}",                        MEMBER,  0,                   FORM_DETAIL,    openwebui_file_show,           "One file with its text." },
	{ DELETE, "/v1/files/{id}",                        MEMBER,  0,                   FORM_DETAIL,    openwebui_file_delete,         "Delete a file with its documents." },
	{ GET,    "/v1/files/{id}/process/status",         MEMBER,  STREAM,              FORM_DETAIL,    openwebui_file_status,         "How far the reading of a file is; with stream=true until it has ended." },
	{ GET,    "/v1/files/{id}/data/content",           MEMBER,  0,                   FORM_DETAIL,    openwebui_file_text,           "The text that was read in a file." },
	{ POST,   "/v1/files/{id}/data/content/update",    MEMBER,  LARGE_BODY,          FORM_DETAIL,    openwebui_file_text_update,    "Give a file another text." },
	{ GET,    "/v1/files/{id}/content",                MEMBER,  0,                   FORM_DETAIL,    openwebui_file_content,        "The bytes of a file." },
	{ GET,    "/v1/files/{id}/content/{name}",         MEMBER,  0,                   FORM_DETAIL,    openwebui_file_download,       "The bytes of a file, to be kept." },
	{ GET,    "/v1/knowledge",                         MEMBER,  0,                   FORM_DETAIL,    openwebui_knowledge_list,      "The collections that the caller sees: workspaces." },
	{ GET,    "/v1/knowledge/search",                  MEMBER,  0,                   FORM_DETAIL,    openwebui_knowledge_list,      "Collections by name or description." },
	{ GET,    "/v1/knowledge/search/files",            MEMBER,  0,                   FORM_DETAIL,    openwebui_knowledge_search_files, "Files of all collections by name." },
	{ POST,   "/v1/knowledge/create",                  MANAGER, BODY,                FORM_DETAIL,    openwebui_knowledge_create,    "Make a collection: a workspace." },
	{ GET,    "/v1/knowledge/{id}",                    MEMBER,  0,                   FORM_DETAIL,    openwebui_knowledge_show,      "One collection with its files." },
	{ GET,    "/v1/knowledge/{id}/files",              MEMBER,  0,                   FORM_DETAIL,    openwebui_knowledge_files,     "The files of a collection, page by page." },
	{ POST,   "/v1/knowledge/{id}/update",             MANAGER, BODY,                FORM_DETAIL,    openwebui_knowledge_update,    "Change a collection's name and description." },
	{ POST,   "/v1/knowledge/{id}/file/add",           MANAGER, BODY,                FORM_DETAIL,    openwebui_knowledge_add,       "Put a file into a collection, now or once it has been read." },
	{ POST,   "/v1/knowledge/{id}/file/remove",        MANAGER, BODY,                FORM_DETAIL,    openwebui_knowledge_remove,    "Take a file out of a collection, and delete it unless delete_file=false." },
	{ POST,   "/v1/knowledge/{id}/files/batch/add",    MANAGER, BODY | LIST,         FORM_DETAIL,    openwebui_knowledge_add_batch, "Put several files into a collection." },
	{ POST,   "/v1/knowledge/{id}/reset",              MANAGER, 0,                   FORM_DETAIL,    openwebui_knowledge_reset,     "Take all files out of a collection." },
	{ DELETE, "/v1/knowledge/{id}/delete",             MANAGER, 0,                   FORM_DETAIL,    openwebui_knowledge_delete,    "Delete a collection; its files stay." },
	{ GET,    "/v1/retrieval",                         ANYONE,  NEEDS_NO_DB,         FORM_DETAIL,    openwebui_retrieval,           "How files are cut and searched." },

	{ 0 },
};
