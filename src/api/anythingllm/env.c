/* SPDX-License-Identifier: ISC */
#include "api/anythingllm/env.h"

#include <stdlib.h>
#include <string.h>

#include "base/url.h"
#include "llm/provider.h"

/* clang-format off */
const struct env_key env_keys[] = {
	{"AuthToken", SHOWN_ELSEWHERE, NULL, CHECK_NOTHING, SETS_NEVER, NULL},
	{"JWTSecret", SHOWN_ELSEWHERE, NULL, CHECK_NOTHING, SETS_NEVER, NULL},
	{"VoyageAiApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"GenericOpenAiEmbeddingApiKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_KEY, "generic-openai-embedding"},
	{"GeminiEmbeddingApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_KEY, "gemini-embedding"},
	{"ImageGenerationOpenAiKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"ImageGenerationOpenRouterApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"ImageGenerationOllamaAuthToken", SHOWN_SET, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"ImageGenerationLemonadeApiKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"WhisperGenericOpenAiApiKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"TTSOpenAIKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"TTSElevenLabsKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"TTSOpenAICompatibleKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"TTSKokoroKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"STTDeepgramApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"STTOpenAICompatibleKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"STTGroqApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"PineConeKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"ChromaApiKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"ChromaCloudApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"WeaviateApiKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"QdrantApiKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"MilvusPassword", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"ZillizApiToken", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"AstraDBApplicationToken", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"OpenAiKey", SHOWN_SET, NULL, CHECK_OPENAI_KEY, SETS_KEY, "openai"},
	{"AzureOpenAiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"AnthropicApiKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"GeminiLLMApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_KEY, "gemini"},
	{"LMStudioAuthToken", SHOWN_SET, NULL, CHECK_NOTHING, SETS_KEY, "lmstudio"},
	{"LocalAiApiKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_KEY, "localai"},
	{"OllamaLLMAuthToken", SHOWN_SET, NULL, CHECK_NOTHING, SETS_KEY, "ollama"},
	{"NovitaLLMApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"TogetherAiApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_KEY, "togetherai"},
	{"FireworksAiLLMApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_KEY, "fireworksai"},
	{"PerplexityApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_KEY, "perplexity"},
	{"OpenRouterApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_KEY, "openrouter"},
	{"MistralApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_KEY, "mistral"},
	{"GroqApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_KEY, "groq"},
	{"TextGenWebUIAPIKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_KEY, "textgenwebui"},
	{"LiteLLMApiKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_KEY, "litellm"},
	{"MoonshotAiApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"GenericOpenAiKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_KEY, "generic-openai"},
	{"AwsBedrockLLMApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"CohereApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"DeepSeekApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_KEY, "deepseek"},
	{"ApipieLLMApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"XAIApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_KEY, "xai"},
	{"PPIOApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"CometApiLLMApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"ZAiApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"GiteeAIApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"SambaNovaLLMApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"LemonadeLLMApiKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_KEY, "lemonade"},
	{"MinimaxApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"CerebrasApiKey", SHOWN_SET, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"OMLXLLMApiKey", SHOWN_SET, NULL, CHECK_NOTHING, SETS_KEY, "omlx"},
	{"AgentSerpApiKey", SHOWN_SET_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentSearchApiKey", SHOWN_SET_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentSerperApiKey", SHOWN_SET_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentBingSearchApiKey", SHOWN_SET_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentBaiduSearchApiKey", SHOWN_SET_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentSerplyApiKey", SHOWN_SET_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentTavilyApiKey", SHOWN_SET_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentExaApiKey", SHOWN_SET_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentPerplexityApiKey", SHOWN_SET_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentBraveApiKey", SHOWN_SET_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentCrwApiKey", SHOWN_SET_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentYouApiKey", SHOWN_SET_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"EmbeddingBasePath", SHOWN_TEXT, NULL, CHECK_SOME, SETS_EMBED_URL, NULL},
	{"EmbeddingModelMaxChunkLength", SHOWN_TEXT, NULL, CHECK_NUMBER, SETS_CHUNK, NULL},
	{"ImageGenerationOllamaBasePath", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"ImageGenerationLemonadeBasePath", SHOWN_TEXT, NULL, CHECK_URL, SETS_ABSENT, NULL},
	{"WhisperGenericOpenAiBaseUrl", SHOWN_TEXT, NULL, CHECK_URL, SETS_ABSENT, NULL},
	{"WhisperGenericOpenAiModel", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"TTSOpenAIVoiceModel", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"TTSElevenLabsVoiceModel", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"TTSOpenAICompatibleModel", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"TTSOpenAICompatibleVoiceModel", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"TTSOpenAICompatibleEndpoint", SHOWN_TEXT, NULL, CHECK_URL, SETS_ABSENT, NULL},
	{"TTSKokoroEndpoint", SHOWN_TEXT, NULL, CHECK_URL, SETS_ABSENT, NULL},
	{"TTSKokoroVoiceModel", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"STTOpenAIModel", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"STTLemonadeBasePath", SHOWN_TEXT, NULL, CHECK_URL, SETS_ABSENT, NULL},
	{"STTLemonadeModelPref", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"STTDeepgramModel", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"STTOpenAICompatibleModel", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"STTOpenAICompatibleEndpoint", SHOWN_TEXT, NULL, CHECK_URL, SETS_ABSENT, NULL},
	{"STTGroqModel", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"PineConeIndex", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"ChromaEndpoint", SHOWN_TEXT, NULL, CHECK_URL, SETS_ABSENT, NULL},
	{"ChromaApiHeader", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"ChromaCloudTenant", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"ChromaCloudDatabase", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"WeaviateEndpoint", SHOWN_TEXT, NULL, CHECK_URL, SETS_ABSENT, NULL},
	{"QdrantEndpoint", SHOWN_TEXT, NULL, CHECK_URL, SETS_ABSENT, NULL},
	{"MilvusAddress", SHOWN_TEXT, NULL, CHECK_URL, SETS_ABSENT, NULL},
	{"MilvusUsername", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"ZillizEndpoint", SHOWN_TEXT, NULL, CHECK_URL, SETS_ABSENT, NULL},
	{"AstraDBEndpoint", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"AzureOpenAiEndpoint", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"AzureOpenAiModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"AzureOpenAiEmbeddingModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"LMStudioBasePath", SHOWN_TEXT, NULL, CHECK_V1_URL, SETS_URL, "lmstudio"},
	{"LMStudioModelPref", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_MODEL, "lmstudio"},
	{"LocalAiBasePath", SHOWN_TEXT, NULL, CHECK_V1_URL, SETS_URL, "localai"},
	{"LocalAiModelPref", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_MODEL, "localai"},
	{"LocalAiTokenLimit", SHOWN_TEXT, NULL, CHECK_CONTEXT, SETS_CONTEXT, "localai"},
	{"OllamaLLMBasePath", SHOWN_TEXT, NULL, CHECK_BARE_URL, SETS_URL, "ollama"},
	{"OllamaLLMModelPref", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_MODEL, "ollama"},
	{"NovitaLLMModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"NovitaLLMTimeout", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"TogetherAiModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "togetherai"},
	{"FireworksAiLLMModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "fireworksai"},
	{"PerplexityModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "perplexity"},
	{"OpenRouterModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "openrouter"},
	{"OpenRouterTimeout", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"MistralModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "mistral"},
	{"GroqModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "groq"},
	{"KoboldCPPModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "koboldcpp"},
	{"KoboldCPPBasePath", SHOWN_TEXT, NULL, CHECK_URL, SETS_URL, "koboldcpp"},
	{"KoboldCPPTokenLimit", SHOWN_TEXT, NULL, CHECK_CONTEXT, SETS_CONTEXT, "koboldcpp"},
	{"KoboldCPPMaxTokens", SHOWN_TEXT, NULL, CHECK_NUMBER, SETS_ABSENT, NULL},
	{"TextGenWebUIBasePath", SHOWN_TEXT, NULL, CHECK_URL, SETS_URL, "textgenwebui"},
	{"TextGenWebUITokenLimit", SHOWN_TEXT, NULL, CHECK_CONTEXT, SETS_CONTEXT, "textgenwebui"},
	{"LiteLLMModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "litellm"},
	{"LiteLLMTokenLimit", SHOWN_TEXT, NULL, CHECK_CONTEXT, SETS_CONTEXT, "litellm"},
	{"LiteLLMBasePath", SHOWN_TEXT, NULL, CHECK_URL, SETS_URL, "litellm"},
	{"GenericOpenAiBasePath", SHOWN_TEXT, NULL, CHECK_URL, SETS_URL, "generic-openai"},
	{"GenericOpenAiModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "generic-openai"},
	{"GenericOpenAiTokenLimit", SHOWN_TEXT, NULL, CHECK_CONTEXT, SETS_CONTEXT, "generic-openai"},
	{"GenericOpenAiMaxTokens", SHOWN_TEXT, NULL, CHECK_NUMBER, SETS_ABSENT, NULL},
	{"FoundryBasePath", SHOWN_TEXT, NULL, CHECK_SOME, SETS_URL, "foundry"},
	{"FoundryModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "foundry"},
	{"FoundryModelTokenLimit", SHOWN_TEXT, NULL, CHECK_CONTEXT_OR_NONE, SETS_CONTEXT, "foundry"},
	{"AwsBedrockLLMRegion", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"AwsBedrockLLMModel", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"CohereModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"DeepSeekModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "deepseek"},
	{"ApipieLLMModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"XAIModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "xai"},
	{"NvidiaNimLLMBasePath", SHOWN_TEXT, NULL, CHECK_URL, SETS_URL, "nvidia-nim"},
	{"NvidiaNimLLMModelPref", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_MODEL, "nvidia-nim"},
	{"NvidiaNimLLMTokenLimit", SHOWN_TEXT, NULL, CHECK_CONTEXT, SETS_CONTEXT, "nvidia-nim"},
	{"PPIOModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"CometApiLLMModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"CometApiLLMTimeout", SHOWN_TEXT, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"ZAiModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"GiteeAIModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"DockerModelRunnerBasePath", SHOWN_TEXT, NULL, CHECK_URL, SETS_URL, "docker-model-runner"},
	{"DockerModelRunnerModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "docker-model-runner"},
	{"PrivateModeBasePath", SHOWN_TEXT, NULL, CHECK_URL, SETS_URL, "privatemode"},
	{"PrivateModeModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "privatemode"},
	{"SambaNovaLLMModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"LemonadeLLMBasePath", SHOWN_TEXT, NULL, CHECK_URL, SETS_URL, "lemonade"},
	{"LemonadeLLMModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "lemonade"},
	{"MinimaxModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"CerebrasModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"OMLXLLMBasePath", SHOWN_TEXT, NULL, CHECK_URL, SETS_URL, "omlx"},
	{"OMLXLLMModelPref", SHOWN_TEXT, NULL, CHECK_SOME, SETS_MODEL, "omlx"},
	{"OMLXLLMTokenLimit", SHOWN_TEXT, NULL, CHECK_CONTEXT_OR_NONE, SETS_CONTEXT, "omlx"},
	{"EmbeddingOutputDimensions", SHOWN_TEXT_OR_NULL, NULL, CHECK_DIMENSIONS, SETS_EMBED_DIMENSIONS, NULL},
	{"ImageGenerationProvider", SHOWN_TEXT_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"ImageGenerationModelPref", SHOWN_TEXT_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"ModelRouterId", SHOWN_TEXT_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentSearXNGApiUrl", SHOWN_TEXT_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentCrwApiUrl", SHOWN_TEXT_OR_NULL, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"LMStudioTokenLimit", SHOWN_TEXT_OR_NULL, NULL, CHECK_CONTEXT_OR_NONE, SETS_CONTEXT, "lmstudio"},
	{"OllamaLLMTokenLimit", SHOWN_TEXT_OR_NULL, NULL, CHECK_CONTEXT_OR_NONE, SETS_CONTEXT, "ollama"},
	{"DisableTelemetry", SHOWN_ELSEWHERE, NULL, CHECK_NOTHING, SETS_TELEMETRY, NULL},
	{"OllamaEmbeddingBatchSize", SHOWN_PRESET, "1", CHECK_NUMBER, SETS_ABSENT, NULL},
	{"GenericOpenAiEmbeddingMaxConcurrentChunks", SHOWN_PRESET, "500", CHECK_NUMBER, SETS_ABSENT, NULL},
	{"GenericOpenAiEmbeddingPassagePrefix", SHOWN_PRESET, "\"\"", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"GenericOpenAiEmbeddingQueryPrefix", SHOWN_PRESET, "\"\"", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"ImageGenerationDimensions", SHOWN_PRESET, "\"512x512\"", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"WhisperProvider", SHOWN_PRESET, "\"local\"", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"WhisperModelPref", SHOWN_PRESET, "\"Xenova/whisper-small\"", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"TextToSpeechProvider", SHOWN_PRESET, "\"native\"", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"TTSPiperTTSVoiceModel", SHOWN_PRESET, "\"en_US-hfc_female-medium\"", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"SpeechToTextProvider", SHOWN_PRESET, "\"native\"", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentSerpApiEngine", SHOWN_PRESET, "\"google\"", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentSearchApiEngine", SHOWN_PRESET, "\"google\"", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"OpenAiModelPref", SHOWN_PRESET, "\"gpt-4.1-nano\"", CHECK_SOME, SETS_MODEL, "openai"},
	{"AzureOpenAiTokenLimit", SHOWN_PRESET, "4096", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AzureOpenAiModelType", SHOWN_PRESET, "\"default\"", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AnthropicModelPref", SHOWN_PRESET, "\"claude-sonnet-4-6\"", CHECK_SOME, SETS_ABSENT, NULL},
	{"AnthropicCacheControl", SHOWN_PRESET, "\"none\"", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"GeminiLLMModelPref", SHOWN_PRESET, "\"gemini-2.0-flash-lite\"", CHECK_SOME, SETS_MODEL, "gemini"},
	{"GeminiSafetySetting", SHOWN_PRESET, "\"BLOCK_MEDIUM_AND_ABOVE\"", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"OllamaLLMKeepAliveSeconds", SHOWN_PRESET, "300", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"MoonshotAiModelPref", SHOWN_PRESET, "\"moonshot-v1-32k\"", CHECK_SOME, SETS_ABSENT, NULL},
	{"AwsBedrockLLMTokenLimit", SHOWN_PRESET, "8192", CHECK_NUMBER, SETS_ABSENT, NULL},
	{"AwsBedrockLLMMaxTokens", SHOWN_PRESET, "4096", CHECK_NOTHING, SETS_ABSENT, NULL},
	{"GiteeAITokenLimit", SHOWN_PRESET, "8192", CHECK_NUMBER, SETS_ABSENT, NULL},
	{"DockerModelRunnerModelTokenLimit", SHOWN_PRESET, "8192", CHECK_CONTEXT, SETS_CONTEXT, "docker-model-runner"},
	{"LemonadeLLMModelTokenLimit", SHOWN_PRESET, "8192", CHECK_CONTEXT, SETS_CONTEXT, "lemonade"},
	{"EmbeddingEngine", SHOWN_ELSEWHERE, NULL, CHECK_ENGINE, SETS_ENGINE, NULL},
	{"EmbeddingModelPref", SHOWN_ELSEWHERE, NULL, CHECK_SOME, SETS_EMBED_MODEL, NULL},
	{"VectorDB", SHOWN_ELSEWHERE, NULL, CHECK_VECTOR, SETS_VECTOR, NULL},
	{"LLMProvider", SHOWN_ELSEWHERE, NULL, CHECK_LLM, SETS_LLM, NULL},
	{"PGVectorConnectionString", SHOWN_ELSEWHERE, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"PGVectorTableName", SHOWN_ELSEWHERE, NULL, CHECK_SOME, SETS_ABSENT, NULL},
	{"AgentSkillMaxToolCalls", SHOWN_ELSEWHERE, NULL, CHECK_NUMBER, SETS_ABSENT, NULL},
	{"AgentSkillRerankerEnabled", SHOWN_ELSEWHERE, NULL, CHECK_NOTHING, SETS_ABSENT, NULL},
	{"AgentSkillRerankerTopN", SHOWN_ELSEWHERE, NULL, CHECK_NUMBER, SETS_ABSENT, NULL},
	{"DefaultSystemPrompt", SHOWN_ELSEWHERE, NULL, CHECK_NOTHING, SETS_PROMPT, NULL},
	{0},
};
/* clang-format on */

static const char *const llms[] = {"openai", "azure", "anthropic", "gemini", "lmstudio", "localai", "ollama",
	"togetherai", "fireworksai", "mistral", "perplexity", "openrouter", "novita", "groq", "koboldcpp",
	"textgenwebui", "cohere", "litellm", "generic-openai", "bedrock", "deepseek", "apipie", "xai", "nvidia-nim",
	"ppio", "moonshotai", "cometapi", "foundry", "zai", "giteeai", "docker-model-runner", "privatemode",
	"sambanova", "lemonade", "minimax", "cerebras", "omlx", "anythingllm-router", NULL};
static const char *const engines[] = {"openai", "azure", "gemini", "localai", "native", "ollama", "lmstudio", "cohere",
	"voyageai", "litellm", "generic-openai", "mistral", "openrouter", "lemonade", NULL};
static const char *const vectors[] = {"chroma", "chromacloud", "pinecone", "lancedb", "weaviate", "qdrant", "milvus",
	"zilliz", "astra", "pgvector", NULL};

/* The names that the original's own environment has. */
static const char *const aliases[][2] = {
	{"LLM_PROVIDER", "LLMProvider"},
	{"OPEN_AI_KEY", "OpenAiKey"},
	{"OPEN_MODEL_PREF", "OpenAiModelPref"},
	{"GENERIC_OPEN_AI_BASE_PATH", "GenericOpenAiBasePath"},
	{"GENERIC_OPEN_AI_MODEL_PREF", "GenericOpenAiModelPref"},
	{"GENERIC_OPEN_AI_MODEL_TOKEN_LIMIT", "GenericOpenAiTokenLimit"},
	{"GENERIC_OPEN_AI_API_KEY", "GenericOpenAiKey"},
	{"OLLAMA_BASE_PATH", "OllamaLLMBasePath"},
	{"OLLAMA_MODEL_PREF", "OllamaLLMModelPref"},
	{"OLLAMA_MODEL_TOKEN_LIMIT", "OllamaLLMTokenLimit"},
	{"EMBEDDING_ENGINE", "EmbeddingEngine"},
	{"EMBEDDING_BASE_PATH", "EmbeddingBasePath"},
	{"EMBEDDING_MODEL_PREF", "EmbeddingModelPref"},
	{"EMBEDDING_OUTPUT_DIMENSIONS", "EmbeddingOutputDimensions"},
	{"EMBEDDING_MODEL_MAX_CHUNK_LENGTH", "EmbeddingModelMaxChunkLength"},
	{"GENERIC_OPEN_AI_EMBEDDING_API_KEY", "GenericOpenAiEmbeddingApiKey"},
	{"VECTOR_DB", "VectorDB"},
	{"DISABLE_TELEMETRY", "DisableTelemetry"},
	{"AUTH_TOKEN", "AuthToken"},
	{"JWT_SECRET", "JWTSecret"},
};

const struct env_key *env_find(const char *name)
{
	const struct env_key *key;
	size_t i;

	for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcmp(aliases[i][0], name) == 0)
			name = aliases[i][1];
	for (key = env_keys; key->name != NULL; key++)
		if (strcmp(key->name, name) == 0)
			return key;
	return NULL;
}

static bool one_of(const char *const *list, const char *value)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, value) == 0)
			return true;
	return false;
}

static const char *not_one_of(struct arena *arena, const char *what, const char *const *list)
{
	const char *text = arena_printf(arena, "Invalid %s type. Must be one of %s", what, *list);

	while (*++list != NULL)
		text = arena_printf(arena, "%s, %s", text, *list);
	return arena_printf(arena, "%s.", text);
}

static const char *check_number(const char *value, long least, const char *too_small)
{
	char *end;
	double number = strtod(value, &end);

	if (*value == '\0' || value[strspn(value, "0123456789.+-")] != '\0' || *end != '\0')
		return "Value must be a number";
	return number < (double)least ? too_small : number > 16777216 ? "Value is too large" : NULL;
}

static const char *check_url(struct arena *arena, const struct env_key *key, const char *value)
{
	bool own_words = key->check != CHECK_URL;
	struct url url;

	if (url_read(arena, value, &url) < 0 || strlen(value) > 2000)
		return own_words ? "Not a valid URL" : "URL is not a valid URL.";
	if (url.credentials)
		return "URL must not hold a user or a password";
	if (key->check == CHECK_V1_URL && strstr(value, "v1") == NULL)
		return "URL must include /v1";
	if (own_words && value[strlen(value) - 1] == '/')
		return "URL cannot end with a slash";
	return NULL;
}

const char *env_check(struct arena *arena, const struct env_key *key, const char *value)
{
	if (strlen(value) > 65536)
		return "Value is too long";
	switch (key->check) {
	case CHECK_NOTHING:
		return NULL;
	case CHECK_SOME:
		return *value == '\0' ? "Value cannot be empty" : NULL;
	case CHECK_NUMBER:
		return check_number(value, 1, "Value must be greater than zero");
	case CHECK_CONTEXT:
	case CHECK_CONTEXT_OR_NONE:
		return *value == '\0' && key->check == CHECK_CONTEXT_OR_NONE
			       ? NULL
			       : check_number(value, 512, "Value must be a number of at least 512");
	case CHECK_DIMENSIONS:
		return *value == '\0' ? NULL
		       : strlen(value) > 4 || value[strspn(value, "0123456789")] != '\0' || atoi(value) < 1 ||
				       atoi(value) > 8192
			       ? "Value must be a number from 1 to 8192"
			       : NULL;
	case CHECK_URL:
	case CHECK_V1_URL:
	case CHECK_BARE_URL:
		return check_url(arena, key, value);
	case CHECK_OPENAI_KEY:
		return strncmp(value, "sk-", 3) == 0 ? NULL : "OpenAI Key must start with sk-";
	case CHECK_LLM:
		return one_of(llms, value) || strcmp(value, "quote") == 0
			       ? NULL
			       : arena_printf(arena, "%s is not a valid LLM provider.", value);
	case CHECK_ENGINE:
		return one_of(engines, value) ? NULL : not_one_of(arena, "Embedding model", engines);
	case CHECK_VECTOR:
		return one_of(vectors, value) || strcmp(value, "exedra") == 0 ? NULL
									      : not_one_of(arena, "VectorDB", vectors);
	}
	return NULL;
}

/* A provider's row for embeddings alone is named so. */
static const char *without_suffix(struct arena *arena, const char *service)
{
	static const char suffix[] = "-embedding";
	size_t len = strlen(service), tail = sizeof(suffix) - 1;

	return len > tail && strcmp(service + len - tail, suffix) == 0 ? arena_copy(arena, service, len - tail)
								       : service;
}

const char *env_service_url(struct arena *arena, const char *service, const char *address)
{
	const char *name = without_suffix(arena, service);
	const struct provider_preset *preset = provider_preset(name);
	size_t len;

	if (address == NULL)
		return preset == NULL ? NULL : preset->url;
	len = strlen(address);
	while (len > 0 && address[len - 1] == '/')
		len--;
	/* The original speaks Ollama's own API there; OpenAI's lies beside it. */
	if (strcmp(name, "ollama") == 0 && (len < 3 || strncmp(address + len - 3, "/v1", 3) != 0))
		return arena_printf(arena, "%.*s/v1", (int)len, address);
	return arena_copy(arena, address, len);
}

bool env_service(const char *service)
{
	const struct env_key *key;

	for (key = env_keys; key->name != NULL; key++)
		if (key->service != NULL && strcmp(key->service, service) == 0)
			return true;
	return false;
}
