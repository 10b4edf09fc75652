package main

func steps() []step {
	return []step{
		{"crud", crud},
		{"conflict", conflict},
		{"kinds", kinds},
		{"patches", patches},
		{"apply", apply},
		{"scale", scale},
		{"paging", paging},
		{"errors", statusErrors},
		{"watch", watching},
		{"informer", sharedInformers},
		{"watchlist", watchList},
		{"metadata", metadataClient},
		{"dynamic", dynamicClient},
		{"definitions", definitions},
		{"discovery", discovering},
		{"mapper", mapper},
		{"election", election},
		{"token", tokens},
		{"reviews", reviews},
		{"events", eventRecorder},
		{"eviction", eviction},
		{"finalizers", finalizers},
		{"owners", owners},
		{"deletecollection", deleteCollection},
		{"table", table},
		{"workloads-rollout", rollout},
		{"workloads-logs", logs},
	}
}
