/* SPDX-License-Identifier: ISC
 * Handlers, a file a noun and dialect.  Each answers and returns 0, or returns -1 with the reason in the task. */
#ifndef EXEDRA_API_H
#define EXEDRA_API_H

#include "web/request.h"

/* health.c */
int health_ping(struct request *);
int health_live(struct request *);
int health_ready(struct request *);

/* anythingllm/auth.c */
int anythingllm_auth(struct request *);

/* anythingllm/workspace.c */
int anythingllm_workspace_new(struct request *);
int anythingllm_workspace_list(struct request *);
int anythingllm_workspace_show(struct request *);
int anythingllm_workspace_delete(struct request *);
int anythingllm_workspace_update(struct request *);
int anythingllm_workspace_chats(struct request *);
int anythingllm_workspace_embed(struct request *);

/* anythingllm/document.c */
int anythingllm_document_raw_text(struct request *);
int anythingllm_document_list(struct request *);
int anythingllm_document_show(struct request *);

/* anythingllm/chat.c: in a workspace, or in one of its threads */
int anythingllm_chat(struct request *);
int anythingllm_stream_chat(struct request *);

/* anythingllm/thread.c */
int anythingllm_thread_new(struct request *);
int anythingllm_thread_update(struct request *);
int anythingllm_thread_delete(struct request *);
int anythingllm_thread_chats(struct request *);

/* openwebui/file.c */
int openwebui_file_list(struct request *);
int openwebui_file_search(struct request *);
int openwebui_file_show(struct request *);
int openwebui_file_delete(struct request *);
int openwebui_file_delete_all(struct request *);
int openwebui_file_status(struct request *);
int openwebui_file_text(struct request *);
int openwebui_file_text_update(struct request *);
int openwebui_file_content(struct request *);
int openwebui_file_download(struct request *);

/* openwebui/knowledge.c */
int openwebui_knowledge_create(struct request *);
int openwebui_knowledge_list(struct request *);
int openwebui_knowledge_show(struct request *);
int openwebui_knowledge_update(struct request *);
int openwebui_knowledge_delete(struct request *);
int openwebui_knowledge_reset(struct request *);
int openwebui_knowledge_files(struct request *);
int openwebui_knowledge_search_files(struct request *);
int openwebui_knowledge_add(struct request *);
int openwebui_knowledge_add_batch(struct request *);
int openwebui_knowledge_remove(struct request *);

/* openwebui/server.c */
int openwebui_version(struct request *);
int openwebui_config(struct request *);
int openwebui_retrieval(struct request *);

/* openai/model.c */
int openai_model_list(struct request *);
int openai_model_show(struct request *);

/* openai/chat.c */
int openai_chat_completions(struct request *);

#endif
