/* SPDX-License-Identifier: ISC
 * Handlers, a file a noun and dialect.  Each answers and returns 0, or returns -1 with the reason in the task. */
#ifndef EXEDRA_API_H
#define EXEDRA_API_H

#include "web/request.h"

/* health.c */
int health_ping(struct request *);
int health_live(struct request *);
int health_ready(struct request *);

/* metrics.c */
int metrics_show(struct request *);

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

/* anythingllm/search.c */
int anythingllm_vector_search(struct request *);
int anythingllm_update_pin(struct request *);

/* anythingllm/upload.c, link.c, raw_text.c */
int anythingllm_document_upload(struct request *);
int anythingllm_document_upload_to(struct request *);
int anythingllm_document_upload_link(struct request *);
int anythingllm_document_raw_text(struct request *);

/* anythingllm/document.c */
int anythingllm_document_list(struct request *);
int anythingllm_document_folder(struct request *);
int anythingllm_document_types(struct request *);
int anythingllm_document_schema(struct request *);
int anythingllm_document_show(struct request *);

/* anythingllm/folder.c */
int anythingllm_folder_create(struct request *);
int anythingllm_folder_remove(struct request *);
int anythingllm_documents_move(struct request *);
int anythingllm_documents_remove(struct request *);
int anythingllm_vector_count(struct request *);

/* anythingllm/chat.c: in a workspace, or in one of its threads */
int anythingllm_chat(struct request *);
int anythingllm_stream_chat(struct request *);

/* anythingllm/embed.c */
int anythingllm_embed_list(struct request *);
int anythingllm_embed_chats(struct request *);
int anythingllm_embed_new(struct request *);
int anythingllm_embed_update(struct request *);
int anythingllm_embed_delete(struct request *);

/* embed/widget.c: without a key, from web pages */
int widget_stream_chat(struct request *);
int widget_history(struct request *);
int widget_reset(struct request *);
int widget_preflight(struct request *);

/* anythingllm/invite.c */
int anythingllm_invite_new(struct request *);
int anythingllm_invite_list(struct request *);
int anythingllm_invite_delete(struct request *);
int anythingllm_invite_show(struct request *);
int anythingllm_invite_accept(struct request *);

/* anythingllm/member.c */
int anythingllm_member_list(struct request *);
int anythingllm_member_update(struct request *);
int anythingllm_member_manage(struct request *);

/* anythingllm/event.c */
int anythingllm_event_list(struct request *);

/* anythingllm/export.c */
int anythingllm_chat_rows(struct request *);
int anythingllm_export_chats(struct request *);

/* anythingllm/user.c */
int anythingllm_multi_user_mode(struct request *);
int anythingllm_user_list(struct request *);
int anythingllm_user_names(struct request *);
int anythingllm_user_new(struct request *);
int anythingllm_user_update(struct request *);
int anythingllm_user_delete(struct request *);

/* anythingllm/system.c, update_env.c, preference.c */
int anythingllm_env_dump(struct request *);
int anythingllm_system(struct request *);
int anythingllm_update_env(struct request *);
int anythingllm_preferences(struct request *);

/* anythingllm/sso.c */
int anythingllm_token_issue(struct request *);
int anythingllm_token_redeem(struct request *);

/* anythingllm/absent.c */
int anythingllm_generated_file(struct request *);
int anythingllm_image_generate(struct request *);

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
int openwebui_file_html(struct request *);

/* openwebui/upload.c */
int openwebui_file_upload(struct request *);

/* openwebui/knowledge.c */
int openwebui_knowledge_create(struct request *);
int openwebui_knowledge_list(struct request *);
int openwebui_knowledge_array(struct request *);
int openwebui_knowledge_show(struct request *);
int openwebui_knowledge_update(struct request *);
int openwebui_knowledge_delete(struct request *);
int openwebui_knowledge_reset(struct request *);
int openwebui_knowledge_files(struct request *);
int openwebui_knowledge_search_files(struct request *);
int openwebui_knowledge_add(struct request *);
int openwebui_knowledge_add_batch(struct request *);
int openwebui_knowledge_remove(struct request *);
int openwebui_knowledge_file_update(struct request *);
int openwebui_knowledge_access(struct request *);
int openwebui_knowledge_reindex(struct request *);
int openwebui_knowledge_export(struct request *);

/* openwebui/account.c */
int openwebui_sign_in(struct request *);
int openwebui_sign_up(struct request *);
int openwebui_session(struct request *);
int openwebui_sign_out(struct request *);
int openwebui_key_new(struct request *);
int openwebui_key_show(struct request *);
int openwebui_key_delete(struct request *);
int openwebui_password(struct request *);

/* openwebui/process.c */
int openwebui_process_text(struct request *);
int openwebui_process_web(struct request *);
int openwebui_process_file(struct request *);
int openwebui_process_files(struct request *);

/* openwebui/retrieval.c */
int openwebui_retrieval(struct request *);
int openwebui_query_doc(struct request *);
int openwebui_query_collection(struct request *);

/* openwebui/server.c */
int openwebui_version(struct request *);
int openwebui_health(struct request *);
int openwebui_config(struct request *);

/* openai/model.c */
int openai_model_list(struct request *);
int openai_model_show(struct request *);

/* openai/chat.c */
int openai_chat_completions(struct request *);

/* openai/absent.c: 501, with the row's description as the reason */
int openai_absent(struct request *);

/* openai/audio.c */
int openai_transcribe(struct request *);

/* openai/embedding.c */
int openai_embedding_create(struct request *);
int openai_vector_store_list(struct request *);

#endif
