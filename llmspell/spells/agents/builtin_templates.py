"""The agent templates that every run finds, as data (TPL-001 … TPL-012, TPL-018, X47).

The names of the seeds' tests are canonical; their other names are aliases. Tools that don't exist
in this version stay listed: an agent goes without them and says so (`get_config().missing_tools`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ALIASES: Final[Mapping[str, str]] = {
    "chat": "chat_agent",
    "conversational_assistant": "chat_agent",
    "research": "research_agent",
    "research_specialist": "research_agent",
    "code": "code_assistant",
    "code_agent": "code_assistant",
    "code_specialist": "code_assistant",
    "content": "content_creator",
    "content_agent": "content_creator",
    "content_specialist": "content_creator",
    "data": "data_analyst",
    "data_agent": "data_analyst",
    "data_analysis": "data_analyst",
    "analysis_agent": "data_analyst",
    "customer_service_agent": "customer_service",
    "api_agent": "api_integration",
    "api_integration_agent": "api_integration",
    "planner_agent": "planner",
    "orchestrator_agent": "orchestrator",
}

BUILTIN: Final[Mapping[str, Mapping[str, Any]]] = {
    "chat_agent": {
        "name": "friendly_assistant",
        "description": "Helpful and friendly conversational assistant",
        "base_config": {
            "provider": "anthropic",
            "model": "claude-3-sonnet",
            "temperature": 0.7,
            "max_tokens": 1000,
        },
        "personality": {
            "traits": ["helpful", "friendly", "patient", "curious"],
            "communication_style": "casual_professional",
            "response_length": "medium",
            "use_emojis": True,
            "humor_level": "light",
        },
        "system_prompt_template": (
            "You are {{name}}, a conversational assistant. Your style is "
            "{{personality.communication_style}}.\n"
            "You are {{#each personality.traits}}{{this}}{{#unless @last}}, {{/unless}}{{/each}}.\n"
            "Keep your answers at {{personality.response_length}} length. "
            "{{#if personality.use_emojis}}Emojis are welcome where they fit."
            "{{else}}Use no emojis.{{/if}} Humour: {{personality.humor_level}}.\n"
            "Say so when you don't know something."
        ),
        "memory_config": {
            "type": "conversation",
            "max_entries": 50,
            "summarize_after": 20,
            "personality_consistency": True,
        },
        "tools": ["web_search", "calculator", "date_time_handler"],
        "capabilities": ["conversation", "context_management", "personality"],
    },
    "research_agent": {
        "name": "research_agent",
        "description": "Research and analysis across sources, with citations",
        "base_config": {
            "provider": "openai",
            "model": "gpt-4",
            "temperature": 0.3,
            "max_tokens": 2000,
        },
        "context_memory": 32_000,
        "research_capabilities": {
            "sources": ["web", "academic", "news", "reports"],
            "analysis_depth": ["surface", "moderate", "deep", "comprehensive"],
            "output_formats": ["summary", "detailed_report", "bullet_points", "structured_data"],
            "citation_style": "apa",
        },
        "system_prompt_template": (
            "You are a research specialist for {{join(research_capabilities.sources, ', ')}} "
            "sources and {{join(research_capabilities.analysis_depth, ', ')}} analysis.\n"
            "Gather from several reliable sources, check them against each other, work out what "
            "they show, and present findings with {{upper(research_capabilities.citation_style)}} "
            "citations.\nName your sources and your confidence from 1 to 10, and what you could "
            "not verify."
        ),
        "tools": [
            "web_search",
            "academic_searcher",
            "web_scraper",
            "text_summarizer",
            "statistical_analyzer",
        ],
        "recommended_tools": ["web_search", "web_scraping", "file_system", "embedding"],
        "capabilities": ["research", "analysis", "web_search", "summarization"],
        "workflows": {
            "comprehensive_research": {
                "steps": [
                    {"name": "initial_search", "tool": "web_search"},
                    {"name": "academic_lookup", "tool": "academic_searcher"},
                    {"name": "content_extraction", "tool": "web_scraper"},
                    {"name": "analysis", "tool": "statistical_analyzer"},
                    {"name": "synthesis", "agent": "self"},
                ]
            }
        },
    },
    "code_assistant": {
        "name": "code_assistant",
        "description": "Programming assistant that reads, writes and reviews code",
        "base_config": {
            "provider": "anthropic",
            "model": "claude-3-opus",
            "temperature": 0.1,
            "max_tokens": 4000,
        },
        "context_memory": 32_000,
        "code_capabilities": {
            "languages": ["python", "javascript", "typescript", "rust", "go"],
            "specialties": ["web_development", "data_science"],
            "known_specialties": [
                "web_development",
                "data_science",
                "systems_programming",
                "machine_learning",
                "devops",
            ],
            "code_style": {
                "naming": "snake_case",
                "indentation": "spaces",
                "line_length": 88,
                "documentation": "detailed",
            },
            "frameworks": ["react", "fastapi", "pandas", "numpy"],
            "testing_frameworks": ["jest", "pytest", "cargo test"],
        },
        "system_prompt_template": (
            "You are a programming assistant.\n"
            "Languages: {{join(code_capabilities.languages, ', ')}}\n"
            "Specialties: {{join(code_capabilities.specialties, ', ')}}\n"
            "Frameworks: {{join(code_capabilities.frameworks, ', ')}}\n"
            "Style: {{code_capabilities.code_style.naming}}, "
            "{{code_capabilities.code_style.indentation}}, lines of at most "
            "{{code_capabilities.code_style.line_length}} characters, "
            "{{code_capabilities.code_style.documentation}} documentation.\n"
            "Write readable code that handles errors, with docstrings and tests where a feature "
            "is new. In a review look for bugs, slow places, security holes, style and tests "
            "that are missing."
        ),
        "tools": [
            "file_reader",
            "file_writer",
            "process_executor",
            "text_analyzer",
            "diff_calculator",
        ],
        "recommended_tools": ["file_system", "web_search", "code_analysis"],
        "capabilities": [
            "code_analysis",
            "debugging",
            "refactoring",
            "testing",
            "documentation",
        ],
        "workflows": {
            "code_review": {
                "steps": [
                    {"name": "read_code", "tool": "file_reader"},
                    {"name": "analyze_style", "tool": "text_analyzer"},
                    {"name": "run_tests", "tool": "process_executor"},
                    {"name": "generate_review", "agent": "self"},
                ]
            },
            "implement_feature": {
                "steps": [
                    {"name": "analyze_requirements", "agent": "self"},
                    {"name": "design_solution", "agent": "self"},
                    {"name": "write_tests", "tool": "file_writer"},
                    {"name": "implement_code", "tool": "file_writer"},
                    {"name": "run_tests", "tool": "process_executor"},
                    {"name": "refine_implementation", "agent": "self"},
                ]
            },
        },
    },
    "content_creator": {
        "name": "content_creator",
        "description": "Writes and edits content of many kinds",
        "base_config": {
            "provider": "anthropic",
            "model": "claude-3-opus",
            "temperature": 0.8,
            "max_tokens": 3000,
        },
        "content_capabilities": {
            "content_types": [
                "blog_posts",
                "articles",
                "social_media",
                "marketing_copy",
                "technical_documentation",
                "creative_writing",
                "scripts",
            ],
            "writing_styles": [
                "professional",
                "casual",
                "academic",
                "conversational",
                "persuasive",
                "narrative",
                "technical",
            ],
            "tones": [
                "friendly",
                "authoritative",
                "enthusiastic",
                "calm",
                "urgent",
                "humorous",
                "serious",
            ],
            "formats": [
                "long_form",
                "short_form",
                "listicle",
                "how_to",
                "case_study",
                "review",
                "opinion",
            ],
        },
        "default_word_count": 1500,
        "system_prompt_template": (
            "You are a content creator. You write:\n"
            "{{#each content_capabilities.content_types}}- {{this}}\n{{/each}}"
            "Styles: {{join(content_capabilities.writing_styles, ', ')}}\n"
            "Tones: {{join(content_capabilities.tones, ', ')}}\n"
            "Formats: {{join(content_capabilities.formats, ', ')}}\n"
            "Find out who reads and why, research where needed, outline, then write: a title that "
            "draws in, a clear structure, examples, an end that says what to do. Be original and "
            "accurate; mind grammar, tone and how easily it is found."
        ),
        "tools": [
            "web_search",
            "text_analyzer",
            "text_manipulator",
            "template_processor",
            "academic_searcher",
        ],
        "capabilities": ["writing", "editing", "outlining", "seo"],
        "workflows": {
            "blog_post_creation": {
                "steps": [
                    {"name": "research_topic", "tools": ["web_search", "academic_searcher"]},
                    {"name": "analyze_competitors", "tool": "web_search"},
                    {"name": "create_outline", "agent": "self"},
                    {"name": "write_content", "agent": "self"},
                    {"name": "review_and_edit", "agent": "self"},
                ]
            }
        },
    },
    "data_analyst": {
        "name": "data_analyst",
        "description": "Explores data and explains what it shows",
        "base_config": {
            "provider": "openai",
            "model": "gpt-4",
            "temperature": 0.1,
            "max_tokens": 6000,
        },
        "context_memory": 24_000,
        "system_prompt": (
            "You are a data analyst. You help people understand their data by statistics and by "
            "advice on how to draw it, and you say how sure a finding is."
        ),
        "tools": ["data_loader", "statistical_analysis", "chart_generator", "correlation_analyzer"],
        "recommended_tools": ["csv", "json", "sql", "statistics", "visualization"],
        "capabilities": [
            "data_exploration",
            "statistical_modeling",
            "visualization_design",
            "insight_extraction",
        ],
        "output_format": "structured_analysis",
    },
    "customer_service": {
        "name": "customer_service",
        "description": "Resolves customers' issues",
        "system_prompt": (
            "You work in customer service. Resolve issues quickly, stay friendly and "
            "professional, and pass on what you can't resolve."
        ),
        "tools": [
            "knowledge_base_search",
            "ticket_creation",
            "escalation_handler",
            "sentiment_analyzer",
        ],
        "personality": {
            "tone": "helpful_professional",
            "empathy_level": "high",
            "patience_threshold": "extended",
        },
        "capabilities": ["issue_resolution", "empathy", "escalation", "knowledge_base"],
        "workflows": ["issue_triage", "resolution_tracking"],
    },
    "api_integration": {
        "name": "api_integration",
        "description": "Tests and joins APIs",
        "system_prompt": (
            "You are a specialist for APIs: you read their descriptions, make test cases, and find "
            "out why an integration fails."
        ),
        "tools": ["http_client", "json_validator", "api_tester", "schema_analyzer"],
        "specializations": ["rest_apis", "graphql_apis", "webhook_handling", "auth_flows"],
        "capabilities": ["rest_apis", "graphql", "webhooks", "auth_flows"],
    },
    "base_analyst": {
        "description": "What every analyst has in common",
        "base_config": {"temperature": 0.2, "max_tokens": 2000},
        "system_prompt": (
            "You are an analyst. Work in a structured way, say how confident you are, and cite "
            "what you rely on."
        ),
        "tools": ["statistical_analyzer", "data_visualizer", "text_summarizer"],
        "analysis_framework": {
            "methodology": "structured",
            "confidence_reporting": True,
            "citation_required": True,
        },
        "capabilities": ["structured_analysis"],
    },
    "market_analyst": {
        "base_template": "base_analyst",
        "description": "Analyses markets",
        "specialization": "market_analysis",
        "additional_tools": ["web_search", "financial_data_api"],
        "domain_knowledge": {
            "markets": ["technology", "healthcare", "finance"],
            "metrics": ["revenue", "growth_rate", "market_share", "valuation"],
            "frameworks": ["porter_five_forces", "swot", "pestle"],
        },
    },
    "technical_analyst": {
        "base_template": "base_analyst",
        "description": "Analyses software systems",
        "specialization": "technical_analysis",
        "additional_tools": ["code_analyzer", "performance_profiler", "security_scanner"],
        "technical_focus": {
            "languages": ["python", "javascript", "rust"],
            "architectures": ["microservices", "serverless", "distributed"],
            "metrics": ["performance", "scalability", "maintainability", "security"],
        },
    },
    "planner": {
        "name": "planner",
        "description": "Breaks goals into steps",
        "base_config": {"temperature": 0.2, "max_tokens": 2000},
        "system_prompt": (
            "You plan. Break a goal into small steps in order, say for each what it needs and how "
            "one sees that it is done, and name what could go wrong."
        ),
        "capabilities": ["planning"],
    },
    "orchestrator": {
        "name": "orchestrator",
        "description": "Answers, or hands over to the specialist who fits",
        "base_config": {"temperature": 0.2, "max_tokens": 2000},
        "system_prompt": (
            "You coordinate specialists. Answer simple requests yourself; find the agent who fits "
            "best for the others and hand over."
        ),
        "tools": ["agent_finder"],
        "capabilities": ["orchestration"],
    },
}


def canonical(name: str) -> str:
    """The name of a built-in template behind an alias; any other name stays."""
    return ALIASES.get(name, name)
