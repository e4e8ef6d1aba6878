include $(sort $(wildcard $(BR2_EXTERNAL_MORTISE_PATH)/package/*/*.mk))
